# The stages of a convolutional tower (grid.py) for training from scratch, where a small net learns
# faster than a vision transformer.
#
# B batch   C channels that leave the block   G grid side

# The basic residual block of He et al. 2016, section 3.3, without bottleneck.
class ResidualBlock(Module):
  first : __torch__.image.Convolution
  second : __torch__.image.Convolution
  # x (B, C, G, G)
  def __call__(self, x: Tensor) -> Tensor:
    y = self.second(torch.relu(self.first(x)))           # (B, C, G, G)
    return torch.relu(x + y)                             # (B, C, G, G)

# The same where the output has another shape than the input (He et al. 2019, ResNet-D's shortcut).
class ReducingBlock(Module):
  first : __torch__.image.Convolution
  second : __torch__.image.Convolution
  shortcut : __torch__.image.Convolution
  # x (B, in, before, before)
  def __call__(self, x: Tensor) -> Tensor:
    y = self.second(torch.relu(self.first(x)))           # (B, C, G, G)
    s = self.first.stride
    z = torch.avg_pool2d(x, [s, s], [s, s], [0, 0], True)  # (B, in, G, G)
    return torch.relu(self.shortcut(z) + y)              # (B, C, G, G)

class Stage(Module):
  reduce : __torch__.image.Convolution
  block : __torch__.image.ResidualBlock
  # x (B, in, before, before)
  def __call__(self, x: Tensor) -> Tensor:
    return self.block(torch.relu(self.reduce(x)))        # (B, C, G, G)
