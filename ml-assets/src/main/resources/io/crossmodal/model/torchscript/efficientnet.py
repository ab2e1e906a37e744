# An image tower of EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation and with ReLU6), for
# weights that were trained elsewhere. It works on NHWC, where a 1x1 convolution is one matrix product. Its
# batch norms keep the statistics that came with the weights, in training too: each is a scale and a shift,
# which the product takes in.
#
# B batch   C channels   E channels between expansion and projection   S image side in pixels
# G grid side, as it is at that place   M = 1 + G * G tokens, token 0 is [CLS]   H hidden size
# W width of the head

class Norm(Module):
  __parameters__ = ["weight", "bias"]
  __buffers__ = ["running_mean", "running_var"]
  weight : Tensor        # (C)
  bias : Tensor          # (C)
  running_mean : Tensor  # (C)
  running_var : Tensor   # (C)
  # In fp32 whatever the weights are: half precision would lose digits of the root.
  def scale(self) -> Tensor:
    return self.weight.float() * torch.rsqrt(self.running_var.float() + 0.001)  # (C)
  def shift(self) -> Tensor:
    return self.bias.float() - self.running_mean.float() * self.scale()         # (C)

# A 1x1 convolution and its norm.
class Pointwise(Module):
  __parameters__ = ["weight"]
  weight : Tensor  # (out, in)
  norm : __torch__.image.Norm
  def __call__(self, x: Tensor) -> Tensor:
    w = self.weight.float() * self.norm.scale()[:, None]              # (out, in)
    b = self.norm.shift()                                             # (out)
    return torch.linear(x, w.type_as(x), b.type_as(x))                # (B, G, G, in) -> (B, G, G, out)  # [x in WHOLE]
    return torch.linear(x.to(15), w.to(15), b.to(15)).to(6)           # (B, G, G, in) -> (B, G, G, out)  # [x in MIXED]

# A convolution and its norm, with TensorFlow's padding "same": on even sides stride 2 pads less before
# than behind. In mixed precision it stays in fp32, as the backward pass of depthwise convolutions in
# bfloat16 is slow on CPUs.
class Convolution(Module):
  __parameters__ = ["weight"]
  weight : Tensor  # (out, in / groups, kernel, kernel)
  stride : int
  groups : int
  norm : __torch__.image.Norm
  def __call__(self, x: Tensor) -> Tensor:
    s = self.stride
    g = (x.size(1) + s - 1) // s                                      # G behind it
    p = max((g - 1) * s + self.weight.size(2) - x.size(1), 0)
    q = p // 2                                                        # rows before, p - q behind
    if p - q != q:
      x = torch.constant_pad_nd(x, [0, 0, q, p - q, q, p - q])        # (B, G + p, G + p, in)
      q = 0
    w = self.weight.float() * self.norm.scale()[:, None, None, None]  # (out, in / groups, kernel, kernel)
    b = self.norm.shift()                                             # (out)
    y = torch.conv2d(x.permute([0, 3, 1, 2]), w.type_as(x), b.type_as(x), [s, s], [q, q], [1, 1], self.groups)
    return y.permute([0, 2, 3, 1])                                    # (B, G, G, out)

def relu6(x: Tensor) -> Tensor:
  return torch.hardtanh(x, 0., 6.)

# The block behind the stem, which does not expand.
class Separable(Module):
  depthwise : __torch__.image.Convolution
  project : __torch__.image.Pointwise
  # x (B, G, G, in)
  def __call__(self, x: Tensor) -> Tensor:
    return self.project(__torch__.image.relu6(self.depthwise(x)))     # (B, G, G, out)

# The inverted bottleneck of MobileNetV2 (Sandler et al. 2018), where its output has another shape.
class Inverted(Module):
  expand : __torch__.image.Pointwise
  depthwise : __torch__.image.Convolution
  project : __torch__.image.Pointwise
  # x (B, before, before, in)
  def __call__(self, x: Tensor) -> Tensor:
    y = __torch__.image.relu6(self.expand(x))                         # (B, before, before, E)
    y = __torch__.image.relu6(self.depthwise(y))                      # (B, G, G, E)
    return self.project(y)                                            # (B, G, G, out)

# The same with its shortcut, where input and output have one shape.
class InvertedResidual(Module):
  expand : __torch__.image.Pointwise
  depthwise : __torch__.image.Convolution
  project : __torch__.image.Pointwise
  # x (B, G, G, C)
  def __call__(self, x: Tensor) -> Tensor:
    y = __torch__.image.relu6(self.expand(x))                         # (B, G, G, E)
    y = __torch__.image.relu6(self.depthwise(y))                      # (B, G, G, E)
    return x + self.project(y)                                        # (B, G, G, C)

class EfficientNetLite(Module):
  __parameters__ = ["position"]
  stem : __torch__.image.Convolution
  {stage}  # [stage in STAGES]
  head : __torch__.image.Pointwise
  embed : __torch__.nn.Linear
  fine : __torch__.nn.Linear  # [x in FINE]
  position : Tensor  # (1, G * G, H)
  norm : __torch__.nn.LayerNorm
  # What the blocks before the last reduction make: a training that leaves them as they are computes it
  # once. pixels (B, C, S, S)
  def bottom(self, pixels: Tensor) -> Tensor:
    x = pixels.permute([0, 2, 3, 1]).contiguous()                     # (B, S, S, C)
    x = __torch__.image.relu6(self.stem(x))                           # (B, G, G, C)
    x = self.stage{i}(x)                                              # (B, G, G, C)  # [i in BOTTOM]
    return x                                                          # (B, 2G, 2G, C)
  # f (B, 2G, 2G, C), of which each token sees the four places that it covers.
  def folded(self, f: Tensor) -> Tensor:
    g, c = f.size(1) // 2, f.size(3)
    y = f.reshape(f.size(0), g, 2, g, 2, c).permute([0, 1, 3, 2, 4, 5])  # (B, G, G, 2, 2, C)
    return y.reshape(f.size(0), g * g, 4 * c)                         # (B, G * G, 4C)
  # f (B, 2G, 2G, C) as bottom gives it. [CLS] and the places are embedded alike.
  def top(self, f: Tensor) -> Tensor:
    x = f                                                             # (B, 2G, 2G, C)
    x = self.stage{i}(x)                                              # (B, G, G, C)  # [i in TOP]
    x = __torch__.image.relu6(self.head(x))                           # (B, G, G, W)
    c = x.mean([1, 2])                                                # (B, W)
    c = torch.dropout(c, {p}, True)                                   # (B, W)  # [p in DROPOUT]
    c = self.embed(c).unsqueeze(1)                                    # (B, 1, H)
    p = __torch__.nn.positions(self.position, x.size(1))              # (1, G * G, H)
    t = self.embed(x.flatten(1, 2)) + p                               # (B, G * G, H)
    t = t + self.fine(self.folded(f))                                 # (B, G * G, H)  # [x in FINE]
    return torch.cat([c, self.norm(t)], 1)                            # (B, M, H)
  def __call__(self, pixels: Tensor) -> Tensor:
    return self.top(self.bottom(pixels))                              # (B, C, S, S) -> (B, M, H)
