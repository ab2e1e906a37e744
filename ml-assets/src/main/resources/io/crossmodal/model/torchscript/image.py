# The image towers f_img of section 3.1.1. All give (B, M, H) with [CLS] as token 0.

# ViT-B/16's block: pre-layer-norm.
class VisionLayer(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  norm1 : __torch__.nn.LayerNorm
  attention : __torch__.nn.MultiHeadAttention
  norm2 : __torch__.nn.LayerNorm
  feed_forward : __torch__.nn.FeedForward
  def forward(self: __torch__.image.VisionLayer, x: Tensor) -> Tensor:
    y = (self.norm1).forward(x)                                                        # (B, M, H)
    x = torch.add(x, (self.attention).forward(y, y, None))                             # (B, M, H)
    return torch.add(x, (self.feed_forward).forward((self.norm2).forward(x)))          # (B, M, H)

class VisionTransformer(Module):
  __parameters__ = ["patch_weight", "patch_bias", "cls", "position", ]
  __buffers__ = []
  training : bool
  patch : int
  patch_weight : Tensor  # (H, C, patch, patch)
  patch_bias : Tensor    # (H)
  cls : Tensor           # (1, 1, H)
  position : Tensor      # (1, M, H)
  layer{i} : __torch__.image.VisionLayer  # [i < IMAGE_LAYERS]
  norm : __torch__.nn.LayerNorm
  def forward(self: __torch__.image.VisionTransformer, pixels: Tensor) -> Tensor:
    x = torch.conv2d(pixels, self.patch_weight, self.patch_bias, [self.patch, self.patch])  # (B, H, G, G)
    x = torch.transpose(torch.flatten(x, 2), 1, 2)                            # (B, G * G, H)
    x = torch.cat([torch.expand(self.cls, [x.size(0), -1, -1]), x], 1)        # (B, M, H)
    x = torch.add(x, self.position)                                           # (B, M, H)
    x = torch.dropout(x, {p}, True)  # [p in DROPOUT]
    x = (self.layer{i}).forward(x)  # [i < IMAGE_LAYERS]
    return (self.norm).forward(x)                                             # (B, M, H)

class Convolution(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  training : bool
  weight : Tensor  # (out, in, kernel, kernel)
  stride : int
  norm : __torch__.nn.BatchNorm
  def forward(self: __torch__.image.Convolution, x: Tensor) -> Tensor:
    p = torch.floordiv(self.weight.size(2), 2)
    y = torch.conv2d(x, self.weight, None, [self.stride, self.stride], [p, p])  # (B, out, G, G)  # [x in WHOLE]
    y = torch.conv2d(x, torch.to(self.weight, 15), None, [self.stride, self.stride], [p, p])  # [x in MIXED]
    return (self.norm).forward(y)                                               # (B, out, G, G)

# The basic residual block of He et al. 2016, section 3.3, without bottleneck.
class ResidualBlock(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  first : __torch__.image.Convolution
  second : __torch__.image.Convolution
  def forward(self: __torch__.image.ResidualBlock, x: Tensor) -> Tensor:
    y = (self.second).forward(torch.relu((self.first).forward(x)))  # (B, C, G, G)
    return torch.relu(torch.add(x, y))                              # (B, C, G, G)

# The same where the output has another shape than the input (He et al. 2019, ResNet-D's shortcut).  # [x in SHORTCUTS]
class ReducingBlock(Module):  # [x in SHORTCUTS]
  __parameters__ = []  # [x in SHORTCUTS]
  __buffers__ = []  # [x in SHORTCUTS]
  training : bool  # [x in SHORTCUTS]
  first : __torch__.image.Convolution  # [x in SHORTCUTS]
  second : __torch__.image.Convolution  # [x in SHORTCUTS]
  shortcut : __torch__.image.Convolution  # [x in SHORTCUTS]
  def forward(self: __torch__.image.ReducingBlock, x: Tensor) -> Tensor:  # [x in SHORTCUTS]
    y = (self.second).forward(torch.relu((self.first).forward(x)))  # (B, C, G, G)  # [x in SHORTCUTS]
    s = self.first.stride  # [x in SHORTCUTS]
    z = torch.avg_pool2d(x, [s, s], [s, s], [0, 0], True)           # (B, in, G, G)  # [x in SHORTCUTS]
    return torch.relu(torch.add((self.shortcut).forward(z), y))     # (B, C, G, G)  # [x in SHORTCUTS]

class Stage(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  reduce : __torch__.image.Convolution
  block : __torch__.image.ResidualBlock
  def forward(self: __torch__.image.Stage, x: Tensor) -> Tensor:
    return (self.block).forward(torch.relu((self.reduce).forward(x)))  # (B, C, G, G)

# The bottleneck blocks of He et al. 2016, section 4.1. The first has another shape than its input.  # [x in RESNET]
class ReducingBottleneck(Module):  # [x in RESNET]
  __parameters__ = []  # [x in RESNET]
  __buffers__ = []  # [x in RESNET]
  training : bool  # [x in RESNET]
  first : __torch__.image.Convolution  # [x in RESNET]
  second : __torch__.image.Convolution  # [x in RESNET]
  third : __torch__.image.Convolution  # [x in RESNET]
  shortcut : __torch__.image.Convolution  # [x in RESNET]
  def forward(self: __torch__.image.ReducingBottleneck, x: Tensor) -> Tensor:  # [x in RESNET]
    y = torch.relu((self.first).forward(x))                             # (B, C / 4, before, before)  # [x in RESNET]
    y = (self.third).forward(torch.relu((self.second).forward(y)))      # (B, C, G, G)  # [x in RESNET]
    return torch.relu(torch.add((self.shortcut).forward(x), y))         # (B, C, G, G)  # [x in RESNET]

class Bottleneck(Module):  # [x in RESNET]
  __parameters__ = []  # [x in RESNET]
  __buffers__ = []  # [x in RESNET]
  training : bool  # [x in RESNET]
  first : __torch__.image.Convolution  # [x in RESNET]
  second : __torch__.image.Convolution  # [x in RESNET]
  third : __torch__.image.Convolution  # [x in RESNET]
  def forward(self: __torch__.image.Bottleneck, x: Tensor) -> Tensor:  # [x in RESNET]
    y = torch.relu((self.first).forward(x))                             # (B, C / 4, G, G)  # [x in RESNET]
    y = (self.third).forward(torch.relu((self.second).forward(y)))      # (B, C, G, G)  # [x in RESNET]
    return torch.relu(torch.add(x, y))                                  # (B, C, G, G)  # [x in RESNET]

# For training from scratch, where a small convolutional net learns faster than a ViT; and a ResNet.
class ConvolutionalTower(Module):
  __parameters__ = ["position", ]
  __buffers__ = []
  training : bool
  stem{i} : __torch__.image.Convolution  # [i < IMAGE_STEMS]
  stage{i} : __torch__.image.Stage       # [i in STRIDED_STAGES]
  stage{i} : __torch__.image.ResidualBlock  # [i in RESIDUAL_STAGES]
  stage{i} : __torch__.image.ReducingBlock  # [i in REDUCING_STAGES]
  stage{i} : __torch__.image.Bottleneck  # [i in BOTTLENECKS]
  stage{i} : __torch__.image.ReducingBottleneck  # [i in REDUCING_BOTTLENECKS]
  cells : int  # [x in GRID_POOLING]
  project : __torch__.nn.Linear
  pool : __torch__.nn.Linear
  position : Tensor  # (1, G * G, H)
  norm : __torch__.nn.LayerNorm
  # Of a grid of g x g tokens. A run may start with smaller images than the model will serve.
  def positions(self: __torch__.image.ConvolutionalTower, g: int) -> Tensor:
    p = self.position                                                        # (1, G * G, H)
    full = int(torch.sqrt(p.size(1)))
    if torch.ne(full, g):
      q = torch.reshape(torch.transpose(p, 1, 2), [1, p.size(2), full, full])  # (1, H, G, G)
      q = torch.upsample_bilinear2d(q, [g, g], False)                        # (1, H, g, g)
      p = torch.transpose(torch.flatten(q, 2), 1, 2)                         # (1, g * g, H)
    else:
      pass
    return p
  def forward(self: __torch__.image.ConvolutionalTower, pixels: Tensor) -> Tensor:
    x = pixels                                                      # (B, C, S, S)  # [x in WHOLE]
    x = torch.contiguous(torch.to(pixels, 15), memory_format=2)     # (B, C, S, S), channels last  # [x in MIXED]
    x = torch.relu((self.stem{i}).forward(x))  # [i < IMAGE_STEMS]
    x = torch.max_pool2d(x, [3, 3], [2, 2], [1, 1], [1, 1], False)  # [x in RESNET]
    x = (self.stage{i}).forward(x)  # [i < IMAGE_STAGES]
    x = torch.feature_dropout(x, {p}, True)  # [p in DROPOUT]
    y = torch.flatten(torch.adaptive_avg_pool2d(x, [self.cells, self.cells]), 1)  # (B, last width * cells * cells)  # [x in GRID_POOLING]
    p = self.positions(x.size(2))                                   # (1, G * G, H)
    x = torch.transpose(torch.flatten(x, 2), 1, 2)                  # (B, G * G, last width)
    c = torch.unsqueeze((self.pool).forward(torch.mean(x, [1])), 1) # (B, 1, H)  # [x in MEAN_POOLING]
    c = torch.unsqueeze((self.pool).forward(y), 1)                  # (B, 1, H)  # [x in GRID_POOLING]
    x = torch.add((self.project).forward(x), p)                     # (B, G * G, H)
    return (self.norm).forward(torch.cat([c, x], 1))                # (B, M, H)
