# From the space that CLIP's towers share to the fusion encoder's own width.
#
# H hidden size   E width of the fusion encoder, H in the text below

class Entry(Module):
  project : __torch__.nn.Linear
  norm : __torch__.nn.LayerNorm
  def __call__(self, x: Tensor) -> Tensor:
    return self.norm(self.project(x))                        # (..., H) -> (..., E)
