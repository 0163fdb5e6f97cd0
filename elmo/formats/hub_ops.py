"""The kinds of op that may run in a graph that came with a model: none can touch the machine.

An op outside this list may read and write files, call other code, open connections or print; so the
list says what is harmless, and a kind that it lacks is refused. Random numbers are for dropout.
"""

from __future__ import annotations

ARRAYS = """
    Const Identity IdentityN StopGradient PreventGradient Snapshot EnsureShape
    PlaceholderWithDefault Shape ShapeN Size Rank Reshape Squeeze ExpandDims Fill ZerosLike
    OnesLike Range LinSpace Cast Bitcast Concat ConcatV2 ConcatOffset Pack Unpack Split SplitV
    Slice StridedSlice Gather GatherV2 GatherNd Tile Pad PadV2 MirrorPad Transpose
    ConjugateTranspose InvertPermutation Reverse ReverseV2 ReverseSequence Roll BroadcastTo
    BroadcastArgs BroadcastGradientArgs OneHot Where Select SelectV2 Unique UniqueV2
    UniqueWithCounts UniqueWithCountsV2 ListDiff DynamicPartition DynamicStitch
    ParallelDynamicStitch ScatterNd TensorScatterAdd TensorScatterSub TensorScatterUpdate
    MatrixDiag MatrixDiagV2 MatrixDiagV3 MatrixBandPart Diag DiagPart SparseToDense SparseReorder
    SparseReshape SparseSlice SparseFillEmptyRows SparseTensorDenseMatMul RaggedRange RaggedGather
    RaggedTensorToTensor RaggedTensorToSparse TopK TopKV2 InTopK InTopKV2 NthElement
    SpaceToBatchND BatchToSpaceND
"""
MATH = """
    Add AddV2 AddN Sub Mul MulNoNan Div RealDiv DivNoNan FloorDiv TruncateDiv Mod FloorMod
    TruncateMod Neg Abs Sign Square SquaredDifference Sqrt Rsqrt Reciprocal Inv Pow Exp Expm1 Log
    Log1p Xlogy Xdivy Sin Cos Tan Asin Acos Atan Atan2 Sinh Cosh Tanh Asinh Acosh Atanh Erf Erfc
    Lgamma Digamma Sigmoid LogSoftmax Softmax Softplus Softsign Relu Relu6 LeakyRelu Elu Selu Ceil
    Floor Round Rint Maximum Minimum ClipByValue Greater GreaterEqual Less LessEqual Equal
    NotEqual ApproximateEqual LogicalAnd LogicalOr LogicalNot BitwiseAnd BitwiseOr BitwiseXor
    Invert LeftShift RightShift IsFinite IsInf IsNan All Any Max Min Mean Prod Sum EuclideanNorm
    ArgMax ArgMin Cumsum Cumprod CumulativeLogsumexp SegmentMax SegmentMean SegmentMin SegmentProd
    SegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
    SparseSegmentMean SparseSegmentSqrtN SparseSegmentSum Bincount DenseBincount Bucketize
    LowerBound UpperBound MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum L2Loss BiasAdd
    BiasAddV1 Conv2D Conv3D DepthwiseConv2dNative MaxPool MaxPoolV2 AvgPool FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 LSTMBlockCell BlockLSTM BlockLSTMV2 GRUBlockCell
"""
STRINGS = """
    StringSplit StringSplitV2 StringLength StringJoin StringLower StringUpper StringStrip
    StringNGrams StringFormat StringToNumber StringToHashBucket StringToHashBucketFast
    StringToHashBucketStrong Substr ReduceJoin UnsortedSegmentJoin AsString DecodeRaw
    DecodePaddedRaw EncodeBase64 DecodeBase64 RegexReplace RegexFullMatch StaticRegexReplace
    StaticRegexFullMatch
"""
CONTROL = """
    NoOp ControlTrigger Assert CheckNumerics CheckNumericsV2 Enter Exit Merge Switch NextIteration
    LoopCond If StatelessIf While StatelessWhile Case StatelessCase PartitionedCall
    StatefulPartitionedCall
"""
LISTS = """
    TensorArrayV2 TensorArrayReadV2 TensorArrayWriteV2 TensorArrayGatherV2 TensorArrayScatterV2
    TensorArrayConcatV2 TensorArraySplitV2 TensorArraySizeV2 TensorArrayCloseV2 TensorArrayV3
    TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3 TensorArrayScatterV3
    TensorArrayConcatV3 TensorArraySplitV3 TensorArraySizeV3 TensorArrayCloseV3 EmptyTensorList
    TensorListReserve TensorListFromTensor TensorListStack TensorListGetItem TensorListSetItem
    TensorListGather TensorListScatter TensorListScatterV2 TensorListScatterIntoExistingList
    TensorListConcat TensorListConcatV2 TensorListConcatLists TensorListSplit TensorListPushBack
    TensorListPopBack TensorListLength TensorListResize TensorListElementShape
"""
VARIABLES_READ = "ReadVariableOp ResourceGather ResourceGatherNd VariableShape VarIsInitializedOp"
RANDOM = """
    RandomUniform RandomUniformInt RandomStandardNormal TruncatedNormal RandomShuffle Multinomial
    StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomUniformInt
    StatelessRandomUniformIntV2 StatelessRandomNormal StatelessRandomNormalV2
    StatelessTruncatedNormal StatelessTruncatedNormalV2 StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
"""
HARMLESS = frozenset(
    " ".join((ARRAYS, MATH, STRINGS, CONTROL, LISTS, VARIABLES_READ, RANDOM)).split()
)
