"""Where benchmark files are published, and their sha256: the table behind ``marapatch fetch``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

RAW = "https://raw.githubusercontent.com/"
REASSURE = RAW + "BU-DEPEND-Lab/REASSURE/4781c8e781913598632da922fc8e41561f85e854/"
MARABOU = RAW + "NeuralNetworkVerification/Marabou/def57140fd516fef2ec551032ed52dd1a3f3cdf1/"
DNNV = RAW + "dlshriver/dnnv-benchmarks/84b5bf1e046226d269da1cdbd7a7690fd90d024b/"
RELUPLEX = RAW + "guykatzz/ReluplexCav2017/60b482eec832c891cb59c0966c9821e40051c082/"
NEURAL_VERIFICATION = RAW + "sisl/NeuralVerification.jl/9802458c3055ecdae7ecdebd45f680f11af76c67/"
VNNCOMP = RAW + "stanleybak/vnncomp2021/90419aadcf06cf543ce5c1706cae1059dc9fa6cf/"


@dataclass(frozen=True)
class Folder:
    """Files published as they are: ``address + NAME`` becomes ``folder/prefix + NAME``.

    ``listing``: a line a file, its sha256 and its name.
    """

    folder: str
    address: str
    listing: str
    prefix: str = ""

    def files(self) -> Iterator[tuple[str, str, str]]:
        """A file's relative path, address and sha256."""
        words = self.listing.split()
        for digest, name in zip(words[::2], words[1::2], strict=True):
            yield f"{self.folder}/{self.prefix}{name}", self.address + name, digest


FOLDERS = (
    Folder(
        "acasxu",
        VNNCOMP + "benchmarks/acasxu/",
        """
b6d7ccb4d9054fb1cb0c087223f8d9ab4de3f9c4f95c8e0841603e15e6ecdaf5 acasxu_instances.csv
""",
    ),
    Folder(
        "acasxu/nnet",
        RELUPLEX + "nnet/",
        """
b79d4bc4056ab44a8985ad2e3eed646a20610422c913367f63060f7680573ce3 ACASXU_run2a_1_1_batch_2000.nnet
9d07e4b4434c35c466c900ac3138e04b83f7d11bdff4e284b33b4c65674cca1a ACASXU_run2a_2_9_batch_2000.nnet
e51d46b0dbca25e5da10147b41af128562383b11d1f3fed751cc125c540d7514 ACASXU_run2a_3_3_batch_2000.nnet
""",
    ),
    Folder(
        "acasxu/onnx",
        VNNCOMP + "benchmarks/acasxu/",
        """
843f7110bf5a8b7f0eeb9b1c548d9d558db9099328b392423d5a7444a0656dd4 ACASXU_run2a_1_1_batch_2000.onnx
a2954b14f943f256959e7ead863a0f5dcaf793d70ae824066e111388e4336338 ACASXU_run2a_1_2_batch_2000.onnx
66fea39416ab610634d11d5838e1d3f6bde82c4cd7b1b105b9bf8d33c7f7b7bf ACASXU_run2a_1_3_batch_2000.onnx
4d0b14971798410b46073cf2ef59a039ecd6d156639979a70680c6261451a18b ACASXU_run2a_1_4_batch_2000.onnx
c01dcc5f6832c7f4123280be19edbe94b6c22affc30bb78db0b573a121ef1a1f ACASXU_run2a_1_5_batch_2000.onnx
93fad63b1885f91cd00031cc2f60c8e5ffeab9ae349eb84d3fd4e1bdd611cccc ACASXU_run2a_1_6_batch_2000.onnx
3ee7d1ff3f1dfdf1751d79f16fd4d2817e2a9a179c80553099d506330eab73d1 ACASXU_run2a_1_7_batch_2000.onnx
bf87cefce3835f0a94ecd0a79bca7caccdbdc13fc8edec500656e879e27aa5ed ACASXU_run2a_1_8_batch_2000.onnx
6c5a301a1f08f5a7a99db25c631bf60dea8f842475cb2d0989c9654dec8184d5 ACASXU_run2a_1_9_batch_2000.onnx
2163dcf3f92f673400ee1a39e0d1148159d2228508157c5dafb085f90582fce2 ACASXU_run2a_2_1_batch_2000.onnx
9d1f3cd4dcb0eb22f59b569bb99a7efcb73ab4c878f0379e652f9f46d96e6ad6 ACASXU_run2a_2_2_batch_2000.onnx
bcc6138bb0958b2ce306eb3501465c86aa34d3e66070adab13d35cd732aaa018 ACASXU_run2a_2_3_batch_2000.onnx
1fb5382456712bfdaa00ae8d57645865fb18a68f504200cad7e507e68b0cb4a8 ACASXU_run2a_2_4_batch_2000.onnx
a4230ec706a0ea4405b1a5e554934a25505d239ebccfd9feb833a65f2ff0013a ACASXU_run2a_2_5_batch_2000.onnx
6fdba7a76fe9703961a261c0cd7e7bfcd01d80f868523faedc410b9db9618b42 ACASXU_run2a_2_6_batch_2000.onnx
4573961576bae0c320b090df5d7a0c13a5efe543cc9c4afc2b91bd85bdc0e48c ACASXU_run2a_2_7_batch_2000.onnx
c58cad33463c060533b5d51a1ecb8771b1788b93cb15dbf5b90ddce197e12753 ACASXU_run2a_2_8_batch_2000.onnx
159a06a9957a252d7e7ee02f206b6e20c5e8f262153d836a7ab07bd58df08861 ACASXU_run2a_2_9_batch_2000.onnx
869ed569e678663bc3a2c726e15f91e4ff2cb63cc27f96236160040cb4bc3227 ACASXU_run2a_3_1_batch_2000.onnx
6fd3d44b7c2e4cebeac227e79899d5829ddd528f6f536962452bb6a8b0e9c7b5 ACASXU_run2a_3_2_batch_2000.onnx
65d46de40b0af23580f3203c8251f68dc22a8b0d727bda59e46d9b904878b65c ACASXU_run2a_3_3_batch_2000.onnx
6c42ac60450348250b88f594c40af5b3902a4e4e661bf824ddf3bcc8efaf3142 ACASXU_run2a_3_4_batch_2000.onnx
a5f371d3a4f940569732a176a322d4cc0c1d97bbba27945b495998a10b8e9801 ACASXU_run2a_3_5_batch_2000.onnx
0b6f5ae9b52b760a035fe0c59c8bf3e1df47448fed99d631cf8092ca8cb906af ACASXU_run2a_3_6_batch_2000.onnx
cffff88dbd885b6034b17a3872beb0eba66451dec5c95207dd24cdfd0352ed81 ACASXU_run2a_3_7_batch_2000.onnx
06ae0d7735d9658df2b5ea1f8a8e28dd0783ebb6ed990f89d04e09ce7c6fa5ff ACASXU_run2a_3_8_batch_2000.onnx
cd65bcfbc51bb645a707e9fa49a375044d1cc04364e12f3cb56e3fc7bbbf86eb ACASXU_run2a_3_9_batch_2000.onnx
9bb5eb10273f2c3aec12ca459a031f66a424c1ce4c39c4823b4292fe34434273 ACASXU_run2a_4_1_batch_2000.onnx
0be3c9b3dc9b2cdfd3024b90200f8b9bbd0d265bdb5bf02aa08ae4840f022b68 ACASXU_run2a_4_2_batch_2000.onnx
fec7c0eb68ef0f907c5f0a4affbece9fe1141a59f9e29ea6676674a58ebb4e6f ACASXU_run2a_4_3_batch_2000.onnx
80e646ea7d54b8092f22a8babb93bd3ebc3c71c9e8803ce87efcc71726a300ca ACASXU_run2a_4_4_batch_2000.onnx
d914e766ba91557d913662e74e2e216ace0acb6da0cda5769a5e647a010284be ACASXU_run2a_4_5_batch_2000.onnx
0647803e5ddadc31f6a80688970a140756a9b5b63ef3581a76299e6de8458c87 ACASXU_run2a_4_6_batch_2000.onnx
3c0d57b88b9fa89e1d88b4b99560e4ce1f85d070c590758b0e0912a88c8b326c ACASXU_run2a_4_7_batch_2000.onnx
4427bb0f30e0adaeebdb4d5d3de02809e3fc747a0c2abebd8e37d87f532af7e3 ACASXU_run2a_4_8_batch_2000.onnx
5d49ac1878feb4d38a3efca56c2e30a1091dcc9b391161f41ebaea03991b83a3 ACASXU_run2a_4_9_batch_2000.onnx
8faeb4bc5cf89cb6972f11b753e04bb7aba9ea9993ac062001c679afd366473b ACASXU_run2a_5_1_batch_2000.onnx
05548e8aea29ece7cd68fd69523b0a6dac857901fb307959d5d29ef28dc5a5b6 ACASXU_run2a_5_2_batch_2000.onnx
554f08a8e04567562164e3e1a0f742d5212c4f4f93b9134aea728b3a28c713a9 ACASXU_run2a_5_3_batch_2000.onnx
658c2ff79db600c7658c629a90b14eff12da3a0f05813f3bd623ecf485d83c3e ACASXU_run2a_5_4_batch_2000.onnx
66c23638354e0837ef42a0f98ea6f0fbfb4d450a1e1dd736d96f2d85d1d6a645 ACASXU_run2a_5_5_batch_2000.onnx
0f52315536e6665b798ef9cbf1decb685b45e7a8f9de527ee6fa3b739749688b ACASXU_run2a_5_6_batch_2000.onnx
8320de18ff931e221ce8a3a4030210f84f7bc0a222c945d31713d2bfd1771862 ACASXU_run2a_5_7_batch_2000.onnx
1742e6d40a2876ede23f8c23574aad57a0929098e650c10c8c85d31b07ac2309 ACASXU_run2a_5_8_batch_2000.onnx
b5feee7f6b24ff8588af61826128e551ecae042579c3f6e13d82751988d90940 ACASXU_run2a_5_9_batch_2000.onnx
""",
    ),
    Folder(
        "acasxu/onnx_dnnv",
        DNNV + "benchmarks/ACAS_Xu/onnx/",
        """
9d93d23a25bbed0d95b474c59ed7e8994e3d0873a00e43050f0dbe2190046ed2 N_2_9.onnx
""",
    ),
    Folder(
        "acasxu/vnnlib",
        VNNCOMP + "benchmarks/acasxu/",
        """
7a9a9930711817c6cc39940f5c1d0f8c51f2ed82f38e203c4b5de03c19bd4ced prop_1.vnnlib
4c38ffe46e7a5faeb539b6af6d3d415a8f024004a7f1c6a6fcf258235c845f04 prop_10.vnnlib
ad309a9574d796b1e1772681185f780a277cf2f140300b676625324c158f42a0 prop_2.vnnlib
68f17e66d71ec73b115950ddfff61936bb45e49c63e4c36f96280ceb99872222 prop_3.vnnlib
d31278d83027638e961546d8f612f28633b61ef4c633c23621236ffeac62123d prop_4.vnnlib
4f5f278eefea0c09e80807ef78c89dff6bc0651a7540a5320d182a668cf11214 prop_5.vnnlib
194f44ec17d4f23e97830ca1f9995d045879a5465ce5b53e689a488a2b653205 prop_6.vnnlib
c0b5c2fbf733e8d9e593e4c916db6c6df03d2c83d505040af17b622021f6d788 prop_7.vnnlib
b7f19aec5ace60da47d69e8a42882591da3d3b9d16174da95325168eb1d2df75 prop_8.vnnlib
6f889ada371352b85a19bdbd11e50664878de2b608cd3ade6e2f315ebf432260 prop_9.vnnlib
""",
    ),
    Folder(
        "cifar10/onnx",
        VNNCOMP + "benchmarks/cifar10_resnet/onnx/",
        """
791aa24d77917ecda16809fbbd48e7739616f88ebf74cf358b2d1bf911dc4a6d resnet_2b.onnx
""",
    ),
    Folder(
        "cifar10/onnx",
        VNNCOMP + "benchmarks/marabou-cifar10/nets/",
        """
d3816a58e6b7b75c9b696c850d6b5d60e92727aee60c65ad293a10a141f75dc2 cifar10_medium.onnx
c8e3ce2a76c16244cf6d9b0cdefc13f2d380630d84e38916a93a85e45d74c3b5 cifar10_small.onnx
""",
        prefix="marabou_",
    ),
    Folder(
        "cifar10/onnx",
        VNNCOMP + "benchmarks/oval21/nets/",
        """
e39711edc5284e173d169359d4b0ac2a5f5b39fffc8cf4af15d54615b867bf3f cifar_base_kw.onnx
a1d1d47fe50544f2f458b2d1c38e90b172b981269881e6e63dbc4e6f7bc5047f cifar_deep_kw.onnx
""",
        prefix="oval_",
    ),
    Folder(
        "mnist_fc",
        VNNCOMP + "benchmarks/mnistfc/",
        """
016ba17fc7f5efbf7ab9baa784b36e53c7ec175d4b4acfb86c17e8685898ccce mnistfc_instances.csv
""",
    ),
    Folder(
        "mnist_fc/onnx",
        VNNCOMP + "benchmarks/mnistfc/",
        """
3a5c9730d60bbf1f9b030e731b438436581efd7c00a28ab683c1ec4b6d3449c4 mnist-net_256x2.onnx
fb53b4745b5882be61325ec24908f9fb036010cd79c99c20bb0b75e3b359acae mnist-net_256x4.onnx
295c175d7b477b2f05dd4787bcabacf8c10d02d7d4b31f8682ea0d8844c6b0a6 mnist-net_256x6.onnx
""",
    ),
    Folder(
        "mnist_fc/vnnlib",
        VNNCOMP + "benchmarks/mnistfc/",
        """
d1e5e66ed29d41443b56d61ff8f6cf7c3c15a98c1cafc927957218d37fe9291f prop_0_0.03.vnnlib
025efa9ec109f6bb4f616d42bd2ea15fc167120fb0ba206599e885dbdd7f0fce prop_0_0.05.vnnlib
5e3882cf91af4d5dd2471daebf83c38024a1dc320c82f2f86ab432a6e2ccc1d4 prop_1_0.03.vnnlib
d18255b8038d834243b5b9ed1aaf5d1c15eb60efb13ea3d2fd0a9baa1d6c88df prop_1_0.05.vnnlib
0c36c00722b6c1701f4d5f17b9d28117711f351c6773e450653cc728a2dd224b prop_2_0.03.vnnlib
780e6bc4e55877bffb441f0327a309febbbca0eeac2bc12c9554438bf24ff67c prop_2_0.05.vnnlib
7c96521b94ab5de945c565e120e9dba322ed24fea73633498419365c244324a1 prop_3_0.03.vnnlib
407a9f5f4a358008bbf6507483a0c61879dc6b1174e11aeabb59cd29fd4a541e prop_3_0.05.vnnlib
""",
    ),
    Folder(
        "mnist_nets/eran",
        DNNV + "benchmarks/ERAN-MNIST/onnx/pyt/",
        """
e069e5be9ceceae4589cf866dd19d4f1f44e2e6befc0dc1e250eae11b96bd8ec convSmallRELU__PGDK.onnx
48f166b697cce1c339859bf3a906ac3cee36a990fceadb75311fe67eea551660 convSmallRELU__Point.onnx
""",
    ),
    Folder(
        "mnist_nets/eran",
        DNNV + "benchmarks/ERAN-MNIST/onnx/tf/",
        """
5a56403ed282b1ec461e19707d31f9846cf95f55799fa3d5b13d3a6372574af8 mnist_relu_3_100.onnx
1831d11cd8b5638b1a3676a6e46cc3b63c6568b113289dec9b628fe2174b5d1d mnist_relu_3_50.onnx
c9d2f77bea64bfa502e9b253bb6b2055c7e46fa0aaad4964596e82161ee51708 mnist_relu_9_100.onnx
""",
    ),
    Folder(
        "mnist_nets/marabou",
        MARABOU + "resources/nnet/mnist/",
        """
1a2b312121be376b14c7f51397fa5c79d243ac6a8b3f73fc424d04651413ee3d mnist10x10.nnet
bb9c13c9ba091761be658fd8535aa3fffc713111d627058f1cfe9bb88f4a874c mnist10x20.nnet
""",
    ),
    Folder(
        "mnist_nets/marabou",
        MARABOU + "resources/onnx/",
        """
15f9a9dfb4e823fdafdb193353ad0e02b5de741f72c9ca13af166b7d3005e353 cnn_max_mninst2.onnx
1cf5917a631a25d32f5d52df2a5c5f44148ca8055ed1c43ecc52f00b3ec5237d mnist2x10.onnx
088e478e4bb5938bc8bd2a69eae51d6e2b57264bf2006865c3785f3b8367d7e3 mnist2x5_sigmoid.onnx
b5773b289b55e56bbf4cc82fd838b737b4ccc15df0e12752017bd7f2617ef3d5 mnist5x20_leaky_relu.onnx
""",
    ),
    Folder(
        "mnist_nets/neuralverification_jl",
        NEURAL_VERIFICATION + "test/networks/",
        """
7251a0310ebabef618f88a0b7e6a307d8de8a0d666b85d7641e4130c9e88adb3 mnist3.nnet
6bbe0bca60f07f794955ebe214936d6c465b35d706e6af1d9df9025977dac407 mnist_small.nnet
""",
    ),
    Folder(
        "mnist_nets/verivital",
        VNNCOMP + "benchmarks/verivital/",
        """
713466baf4fc60c8f99f978acd2e745d202c6d2d233e4ae18cb5cb40b6c98b04 Convnet_avgpool.onnx
6d5a0720e2eedb286a07ed9bb94c96fb33bd149d0424b253ebff78ec654b38dc Convnet_maxpool.onnx
""",
    ),
    Folder(
        "reassure",
        REASSURE + "ICLR/Experiments/HCAS/TrainedNetworks/",
        """
430590fb1e5e0d596f881f593f2b4eddd847070475efc4005cfd8a15affbbde3 HCAS_rect_v6_pra1_tau05_25HU_3000.nnet
""",  # noqa: E501  # the published name is long
    ),
)
