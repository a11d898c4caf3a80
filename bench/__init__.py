"""The harness: plans trials, runs each in a fresh process, keeps records. No framework here."""
