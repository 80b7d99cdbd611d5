"""A backbone of four convolutions, so that a whole training takes seconds."""

import keras


def tiny(image_size, weights):
    """Maps with strides 8 and 16."""
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    hidden = keras.layers.Rescaling(1 / 127.5, -1.0)(images)
    maps = []
    for filters in (8, 16, 24, 32):
        hidden = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(hidden)
        maps.append(hidden)
    return keras.Model(images, maps[2:], name="tiny")
