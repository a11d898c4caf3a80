"""TensorFlow's own input pipeline: ``tf.data``.

Tutorial: https://www.tensorflow.org/tutorials/load_data/images (TensorFlow 2.21).
"""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import tensorflow as tf

from bench.contract import Images, Trial
from bench.workloads import IMAGE_SHAPE
from impls.tensorflow.trainer import TensorFlowTrainer

Batch = tuple[tf.Tensor, tf.Tensor]


def files(trial: Trial, folder: Path) -> tf.data.Dataset:
    names = tf.data.Dataset.list_files(f"{folder}/*/*.png", shuffle=False)

    def load(name: tf.Tensor) -> Batch:
        label = tf.strings.to_number(tf.strings.split(name, "/")[-2], tf.int32)
        image = tf.io.decode_png(tf.io.read_file(name), channels=3)
        return tf.ensure_shape(image, IMAGE_SHAPE), label

    size = trial.workload.batch_size
    images = shuffled(names, trial).map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return endless(images.batch(size, drop_remainder=True), trial)


def array(trial: Trial, folder: Path) -> tf.data.Dataset:
    images = np.load(folder / "images.npy", mmap_mode="r")
    labels = np.load(folder / "labels.npy", mmap_mode="r")
    size = trial.workload.batch_size

    def read(batch: tf.Tensor) -> Batch:
        # tf.data itself reads files in order only; what maps arrays into memory is NumPy.
        pixels, of = tf.numpy_function(
            lambda batch: (images[batch], labels[batch]), [batch], (tf.uint8, tf.int32)
        )
        return tf.ensure_shape(pixels, (size, *IMAGE_SHAPE)), tf.ensure_shape(of, (size,))

    numbers = shuffled(tf.data.Dataset.range(len(labels)), trial)
    batches = numbers.batch(size, drop_remainder=True)
    return endless(batches.map(read, num_parallel_calls=tf.data.AUTOTUNE), trial)


def shuffled(images: tf.data.Dataset, trial: Trial) -> tf.data.Dataset:
    """Another order every epoch."""
    return images.shuffle(trial.images, seed=trial.seed)


def endless(batches: tf.data.Dataset, trial: Trial) -> tf.data.Dataset:
    """Epoch after epoch, with as many threads as the training has, not one for every processor."""
    options = tf.data.Options()
    options.threading.private_threadpool_size = trial.threads
    return batches.repeat().prefetch(tf.data.AUTOTUNE).with_options(options)


def delivered(batch: Batch) -> Images:
    images, labels = batch
    return images.numpy(), labels.numpy()


def train(
    trainer: TensorFlowTrainer, batches: Iterable[Batch], steps: int, lap: Callable[[], bool]
) -> None:
    feed = iter(batches)
    going = True
    while going:
        for images, labels in islice(feed, steps):
            trainer.train_step(images, labels, tf.range(len(labels)))
        tf.test.experimental.sync_devices()
        going = lap()
