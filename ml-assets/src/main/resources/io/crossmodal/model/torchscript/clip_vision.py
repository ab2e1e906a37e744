# CLIP's image tower (Radford et al. 2021, section 2.4): a vision transformer with a layer norm before
# its layers too, and the projection to the joint space on every token.
#
# B batch   C channels   S image side in pixels   G = S / patch   M = 1 + G * G tokens, token 0 is [CLS]
# W width of the tower   H hidden size, of the joint space

class ClipVision(Module):
  __parameters__ = ["patch_weight", "cls", "position", "project"]
  patch : int
  patch_weight : Tensor  # (W, C, patch, patch)
  cls : Tensor           # (1, 1, W)
  position : Tensor      # (1, M, W)
  first : __torch__.nn.LayerNorm
  layer{i} : __torch__.clip.Layer  # [i < IMAGE_LAYERS]
  last : __torch__.nn.LayerNorm
  project : Tensor       # (H, W)
  # pixels (B, C, S, S)
  def __call__(self, pixels: Tensor) -> Tensor:
    x = torch.conv2d(pixels, self.patch_weight, None, [self.patch, self.patch])  # (B, W, G, G)
    x = x.flatten(2).transpose(1, 2)                           # (B, G * G, W)
    x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], 1)  # (B, M, W)
    x = self.first(x + self.position)                          # (B, M, W)
    x = self.layer{i}(x, None)                                 # (B, M, W)  # [i < IMAGE_LAYERS_WHOLE]
    # [CLS] sees all tokens, a patch itself alone: its value, by the residuals and the feed-forward  # [i < IMAGE_LAYERS_ALONE]
    # network as any token (MaskCLIP, Zhou et al. 2022, as its authors' code has it).  # [i < IMAGE_LAYERS_ALONE]
    sees = torch.cat([x.new_ones([1, x.size(1)]), torch.diag(x.new_ones([x.size(1)]))[1:]])  # (M, M)  # [i < IMAGE_LAYERS_ALONE]
    x = self.layer{i}(x, (sees[None, None] - 1.) * 10000.)     # (B, M, W)  # [i < IMAGE_LAYERS_ALONE]
    return torch.linear(self.last(x), self.project)            # (B, M, H)  # [x in TOKEN_A_PATCH]
    x = torch.linear(self.last(x), self.project)               # (B, 1 + G * G, H)  # [grid in TOKEN_GRID]
    side = int(torch.sqrt(x.size(1) - 1))                      # G  # [grid in TOKEN_GRID]
    y = x[:, 1:].transpose(1, 2).unflatten(2, [side, side])    # (B, H, G, G)  # [grid in TOKEN_GRID]
    y = torch.adaptive_avg_pool2d(y, [{grid}, {grid}]).flatten(2).transpose(1, 2)  # (B, M - 1, H)  # [grid in TOKEN_GRID]
    return torch.cat([x[:, :1], y], 1)                         # (B, M, H)  # [grid in TOKEN_GRID]
