# CLIP's text tower (Radford et al. 2021, section 2.4): causal layers, and the projection to the joint
# space on every token. The end token alone has seen the whole text: its state takes the place of token 0,
# the start token, whose state is the same in every text.
#
# B batch   N tokens   W width of the tower   H hidden size, of the joint space   V vocabulary size

class TextTower(Module):
  __parameters__ = ["word", "position", "project"]
  word : Tensor      # (V, W)
  position : Tensor  # (longest N, W)
  layer{i} : __torch__.clip.Layer  # [i < TEXT_LAYERS]
  last : __torch__.nn.LayerNorm
  project : Tensor   # (H, W)
  # ids (B, N) int64, the end token's is the highest. Padding stands behind it, where no token looks:
  # of bias, which hides padding elsewhere, the type alone is used.
  def __call__(self, ids: Tensor, bias: Tensor) -> Tensor:
    n = ids.size(1)
    x = torch.embedding(self.word, ids) + self.position[:n]         # (B, N, W)
    causal = torch.triu(bias.new_full([1, 1, n, n], -10000.), 1)    # (1, 1, N, N)
    x = self.layer{i}(x, causal)                                    # (B, N, W)  # [i < TEXT_LAYERS]
    x = torch.linear(self.last(x), self.project)                    # (B, N, H)
    end = torch.argmax(ids, 1)[:, None, None]                       # (B, 1, 1)
    end = torch.gather(x, 1, end.expand(-1, -1, x.size(2)))         # (B, 1, H)
    return torch.cat([end, x[:, 1:]], 1)                            # (B, N, H)
