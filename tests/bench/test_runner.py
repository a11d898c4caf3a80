import signal

import pytest

from bench.runner import interrupts


class InterruptedWhileCollected:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_is_heard_even_where_its_exception_is_lost() -> None:
    with interrupts() as check:
        check()
        thing = InterruptedWhileCollected()
        del thing
        with pytest.raises(KeyboardInterrupt):
            check()


def test_afterwards_ctrl_c_means_what_it_meant_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with interrupts(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before
