"""What a checkpoint's configuration may name: the classes and functions of Keras that only compute, by module.

Missing on purpose is all that runs code or reads files: Lambda, TorchModuleWrapper, TFSMLayer, JaxLayer, FlaxLayer,
the layers that read vocabularies (StringLookup, IntegerLookup, TextVectorization, Hashing, …), wrappers of other
layers, and every function but activations. Keras, which takes seconds to import, is not needed to look here.
"""

from collections.abc import Mapping


def _names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_LAYERS = _names(
    """
    Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose DepthwiseConv1D DepthwiseConv2D
    SeparableConv1D SeparableConv2D Dense EinsumDense

    MaxPooling1D MaxPooling2D MaxPooling3D AveragePooling1D AveragePooling2D AveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D GlobalAveragePooling2D
    GlobalAveragePooling3D AdaptiveMaxPooling2D AdaptiveAveragePooling2D

    BatchNormalization LayerNormalization GroupNormalization RMSNormalization UnitNormalization Normalization

    Activation ReLU LeakyReLU PReLU ELU Softmax

    Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D AlphaDropout GaussianDropout GaussianNoise
    ActivityRegularization

    Add Subtract Multiply Average Maximum Minimum Concatenate Dot
    Attention AdditiveAttention MultiHeadAttention GroupQueryAttention

    InputLayer Identity Flatten Reshape Permute RepeatVector Masking Cropping1D Cropping2D Cropping3D
    ZeroPadding1D ZeroPadding2D ZeroPadding3D UpSampling1D UpSampling2D UpSampling3D

    Rescaling Resizing CenterCrop
    RandomBrightness RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom
    """
)

# What `x * 2`, `x[..., 0]` or `keras.ops.relu6(x)` leave in a functional network.
_NUMPY = _names(
    """
    Absolute Add Amax Amin Clip Concatenate Divide Exp ExpandDims Expm1 GetItem Log Log1p Max Maximum Mean Min Minimum
    Multiply Negative Pad Power Reciprocal Repeat Reshape Sign Sqrt Square Squeeze Stack Subtract Sum Swapaxes Tanh
    Transpose TrueDivide
    """
)
_NN = _names(
    """
    AveragePool Celu Conv DepthwiseConv Elu Gelu HardSigmoid HardSilu HardTanh LeakyRelu LogSigmoid LogSoftmax MaxPool
    Relu Relu6 Selu Sigmoid Silu SoftShrink Softmax Softplus Softsign TanhShrink
    """
)

CLASSES: Mapping[str, frozenset[str]] = {
    "keras": _names("DTypePolicy Sequential"),
    "keras.src.models.functional": _names("Functional"),
    "keras.src.applications.convnext": _names("LayerScale"),
    "keras.src.applications.inception_resnet_v2": _names("CustomScaleLayer"),
    "keras.layers": _LAYERS,
    "keras.initializers": _names(
        """
        Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal LecunUniform Ones Orthogonal
        RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros
        """
    ),
    "keras.regularizers": _names("L1 L1L2 L2 OrthogonalRegularizer"),
    "keras.constraints": _names("MaxNorm MinMaxNorm NonNeg UnitNorm"),
    "keras.src.ops.numpy": _NUMPY,
    "keras.src.ops.nn": _NN,
    "keras.src.ops.core": _names("Cast"),
    "keras.src.ops.image": _names("Resize"),
}

OURS = _names("ssd>SSD ssd>Preprocess ssd>L2Norm ssd>BatchNorm")  # this project's, by registered name

FUNCTIONS = _names(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus
    sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold
    """
)
FUNCTION_MODULES = _names("builtins keras.activations")

# Values that Keras writes as objects, and the types of number that an array among them may have.
VALUES = _names("__keras_tensor__ __slice__ __ellipsis__")
ARRAYS = _names("__numpy__ __tensor__")
NUMBERS = _names("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64")
