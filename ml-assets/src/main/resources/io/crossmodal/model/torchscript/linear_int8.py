# Takes the place of nn.Linear in the fusion encoder of an archive of precision int8. Weights come as
# 32-bit floats and are rounded when the archive is loaded, each output with a scale of its own; what
# goes in is rounded with one scale a call, to 7 bits: processors without VNNI add products of two
# pairs of bytes in 16 bits, which those of 8 bits exceed. 12 is qint8, 4 is int64.
class Linear(Module):
  training : bool
  packed : __torch__.torch.classes.quantized.LinearPackedParamsBase
  def __getstate__(self) -> Tuple[Tensor, Optional[Tensor]]:
    w, b = ops.quantized.linear_unpack(self.packed)
    return (torch.dequantize(w), b)                                   # (out, in), (out)
  def __setstate__(self, state: Tuple[Tensor, Optional[Tensor]]) -> NoneType:
    w = state[0]                                                      # (out, in)
    s = torch.clamp_min(torch.amax(torch.abs(w), [1]), 1e-08) / 127.  # (out)
    q = torch.quantize_per_channel(w, s, torch.zeros_like(s, dtype=4), 0, 12)  # (out, in)
    self.packed = ops.quantized.linear_prepack(q, state[1])
    self.training = False
    return None
  def __call__(self, x: Tensor) -> Tensor:
    return ops.quantized.linear_dynamic(x, self.packed, True)         # (..., in) -> (..., out)
