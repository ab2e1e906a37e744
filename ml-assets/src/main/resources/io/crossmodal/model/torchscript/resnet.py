# The stages of a ResNet, whose tower is grid.py's: the bottleneck blocks of He et al. 2016, section
# 4.1.
#
# B batch   C channels that leave the block   G grid side

class Bottleneck(Module):
  first : __torch__.image.Convolution
  second : __torch__.image.Convolution
  third : __torch__.image.Convolution
  # x (B, C, G, G)
  def __call__(self, x: Tensor) -> Tensor:
    y = torch.relu(self.first(x))                        # (B, C / 4, G, G)
    y = self.third(torch.relu(self.second(y)))           # (B, C, G, G)
    return torch.relu(x + y)                             # (B, C, G, G)

# The same where the output has another shape than the input.
class ReducingBottleneck(Module):
  first : __torch__.image.Convolution
  second : __torch__.image.Convolution
  third : __torch__.image.Convolution
  shortcut : __torch__.image.Convolution
  # x (B, in, before, before)
  def __call__(self, x: Tensor) -> Tensor:
    y = torch.relu(self.first(x))                        # (B, C / 4, before, before)
    y = self.third(torch.relu(self.second(y)))           # (B, C, G, G)
    return torch.relu(self.shortcut(x) + y)              # (B, C, G, G)
