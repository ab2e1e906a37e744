# One step of AdamW over all tensors of a model at once. Its own archive: it trains whatever module the
# tensors belong to.

class AdamW(Module):
  def forward(self, x: Tensor) -> Tensor:
    return x
  # The global norm of gradients g.
  def norm(self, g: List[Tensor]) -> Tensor:
    return torch.linalg_vector_norm(torch.stack(torch._foreach_norm(g), 0))
  # Scales the gradients g, then AdamW (Loshchilov and Hutter 2019) on p with moments m and v and step
  # counts t, then the moving average e of p; g is zero afterwards. A slice of a list would be a copy, and
  # updating it in place would update nothing; hence whole lists.
  def step(self, p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], t: List[Tensor], e: List[Tensor], scale: float, lr: float, decay: float, average: float) -> NoneType:
    torch._foreach_mul_(g, scale)
    torch._foreach_add_(t, 1.)
    torch._fused_adamw_(p, g, m, v, annotate(List[Tensor], []), t, lr=lr, beta1=0.9, beta2=0.99, weight_decay=decay, eps=1e-08, amsgrad=False, maximize=False)
    torch._foreach_zero_(g)
    torch._foreach_lerp_(e, p, average)
    return None
  def lerp(self, e: List[Tensor], p: List[Tensor], average: float) -> NoneType:
    torch._foreach_lerp_(e, p, average)
    return None
  def zero(self, g: List[Tensor]) -> NoneType:
    torch._foreach_zero_(g)
    return None
  # In place, behind autograd's back: for checkpoints.
  def assign(self, p: Tensor, value: Tensor) -> NoneType:
    torch.copy_(p.detach(), value)
    return None
