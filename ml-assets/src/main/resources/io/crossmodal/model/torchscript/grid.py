# An image tower of convolutions. Its stages, stage0 to the last, are blocks of convnet.py or of
# resnet.py, one of which stands before this text.
#
# B batch   C channels   S image side in pixels   G grid side, as it is at that place
# M = 1 + G * G tokens, token 0 is [CLS]   H hidden size   W width of the last stage

class Convolution(Module):
  __parameters__ = ["weight"]
  weight : Tensor  # (out, in, kernel, kernel)
  stride : int
  norm : __torch__.nn.BatchNorm
  def __call__(self, x: Tensor) -> Tensor:
    s, p = self.stride, self.weight.size(2) // 2
    y = torch.conv2d(x, self.weight, None, [s, s], [p, p])         # (B, out, G, G)  # [x in WHOLE]
    y = torch.conv2d(x, self.weight.to(15), None, [s, s], [p, p])  # (B, out, G, G)  # [x in MIXED]
    return self.norm(y)                                            # (B, out, G, G)

class ConvolutionalTower(Module):
  __parameters__ = ["position"]
  stem{i} : __torch__.image.Convolution  # [i < IMAGE_STEMS]
  {stage}  # [stage in STAGES]
  cells : int  # [x in GRID_POOLING]
  project : __torch__.nn.Linear
  pool : __torch__.nn.Linear
  position : Tensor  # (1, G * G, H)
  norm : __torch__.nn.LayerNorm
  # pixels (B, C, S, S)
  def __call__(self, pixels: Tensor) -> Tensor:
    x = pixels                                              # (B, C, S, S)  # [x in WHOLE]
    x = pixels.to(15).contiguous(memory_format=2)           # (B, C, S, S), channels last  # [x in MIXED]
    x = torch.relu(self.stem{i}(x))                         # (B, out, G, G)  # [i < IMAGE_STEMS]
    x = torch.max_pool2d(x, [3, 3], [2, 2], [1, 1])         # (B, out, G, G)  # [x in RESNET]
    x = self.stage{i}(x)                                    # (B, out, G, G)  # [i < IMAGE_STAGES]
    x = torch.feature_dropout(x, {p}, True)                 # (B, W, G, G)  # [p in DROPOUT]
    c = torch.adaptive_avg_pool2d(x, [self.cells, self.cells]).flatten(1)  # (B, W * cells * cells)  # [x in GRID_POOLING]
    p = __torch__.nn.positions(self.position, x.size(2))    # (1, G * G, H)
    x = x.flatten(2).transpose(1, 2)                        # (B, G * G, W)
    c = x.mean([1])                                         # (B, W)  # [x in MEAN_POOLING]
    c = self.pool(c).unsqueeze(1)                           # (B, 1, H)
    return self.norm(torch.cat([c, self.project(x) + p], 1))  # (B, M, H)
