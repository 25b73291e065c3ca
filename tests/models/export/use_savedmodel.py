"""Uses an exported SavedModel as people do: `python use_savedmodel.py FOLDER`, by a Python with TensorFlow."""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras

folder = Path(sys.argv[1])
images = np.load(folder / "images.npy")
model = hub.load(str(folder / "sm"))
features = model(images)
assert isinstance(features, tf.Tensor)
np.save(folder / "map.npy", features.numpy())
served = model.signatures["serving_default"]

layer = hub.KerasLayer(str(folder / "sm"), trainable=True)
network = tf_keras.Sequential([layer, tf_keras.layers.GlobalAveragePooling2D(), tf_keras.layers.Dense(1)])
network.build([None, None, None, 3])
before = [weight.numpy() for weight in layer.trainable_weights]
network.compile(tf_keras.optimizers.legacy.SGD(0.1), "mse")
network.fit(images, np.arange(len(images), dtype=np.float32), epochs=1, verbose=0)
after = [weight.numpy() for weight in layer.trainable_weights]
said = {
    "trainable": len(model.trainable_variables),
    "trainable_in_layer": len(layer.trainable_weights),
    "changed": sum(not np.array_equal(one, other) for one, other in zip(before, after, strict=True)),
    "signature": [list(served.structured_input_signature[1]), list(served.structured_outputs)],
    "losses": len(model.regularization_losses),
}
(folder / "said.json").write_text(json.dumps(said))
