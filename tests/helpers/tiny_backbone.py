"""A backbone of three convolutions."""

import keras


def tiny(image_size, weights, frozen_batch_norm=False):
    """One map with stride 8."""
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    hidden = keras.layers.Rescaling(1 / 127.5, -1.0)(images)
    for filters in (8, 16, 24):
        name = f"conv_{filters}"  # weights of a checkpoint are found by it
        hidden = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu", name=name)(hidden)
    if frozen_batch_norm:
        hidden = keras.layers.BatchNormalization(trainable=False, name="frozen")(hidden)
    return keras.Model(images, [hidden], name="tiny")
