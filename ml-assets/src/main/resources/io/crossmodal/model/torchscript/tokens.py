# What of an image's tokens is stored, and so what the fusion encoder reads: fewer values of each, and perhaps
# fewer of them. Averaging and projecting are linear, so tokens that an index pools further are no others.
#
# B batch   H hidden size   T values of a stored token   M tokens as the tower makes them, G * G patches of them,
# K tokens that are stored; token 0 is [CLS]

class TokenProjection(Module):
  down : __torch__.nn.Linear  # (T, H)
  up : __torch__.nn.Linear    # (H, T)
  def store(self, x: Tensor) -> Tensor:
    side = int(torch.sqrt(x.size(1) - 1))                      # G  # [grid in STORED_GRID]
    y = x[:, 1:].transpose(1, 2).unflatten(2, [side, side])    # (B, H, G, G)  # [grid in STORED_GRID]
    y = torch.adaptive_avg_pool2d(y, [{grid}, {grid}]).flatten(2).transpose(1, 2)  # (B, K - 1, H)  # [grid in STORED_GRID]
    x = torch.cat([x[:, :1], y], 1)                            # (B, K, H)  # [grid in STORED_GRID]
    return self.down(x)                                        # (B, M, H) -> (B, K, T)
  # What the filter and the pre-ranker read of a stored [CLS].
  def class_token(self, cls: Tensor) -> Tensor:
    return self.up(cls)                                        # (B, T) -> (B, H)
