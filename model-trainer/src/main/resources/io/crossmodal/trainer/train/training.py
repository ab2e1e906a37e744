# Losses and optimiser around the model; an exported model leaves all of this behind.
# Letters as in nn.py. K rows of a batch's pairs: B positives, B negative texts, B negative images.

# The head of masked language modelling (BERT's transform; the decoder is the word embedding).
class MaskedLanguageHead(Module):
  __parameters__ = ["bias", ]
  __buffers__ = []
  training : bool
  dense : __torch__.nn.Linear
  norm : __torch__.nn.LayerNorm
  bias : Tensor  # (V)
  def forward(self: __torch__.training.MaskedLanguageHead, u: Tensor, word: Tensor) -> Tensor:
    x = (self.norm).forward(torch.gelu((self.dense).forward(u)))  # (B, N, H)
    return torch.linear(x, word, self.bias)                       # (B, N, V)

class Training(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  model : __torch__.mtgfe.Mtgfe
  mlm : __torch__.training.MaskedLanguageHead
  itc_weight : float
  itm_weight : float
  mlm_weight : float

  # Image-text contrast (CLIP; ALBEF's ITC without queue). logits and matches (B, B), image-major;
  # several texts of a batch may match one image, so the target is uniform over them.
  def contrast(self: __torch__.training.Training, logits: Tensor, matches: Tensor) -> Tensor:
    rows = torch.div(matches, torch.sum(matches, [1], True))                                     # (B, B)
    columns = torch.div(matches, torch.sum(matches, [0], True))                                  # (B, B)
    a = torch.mean(torch.sum(torch.mul(rows, torch.log_softmax(logits, 1)), [1]))
    b = torch.mean(torch.sum(torch.mul(columns, torch.log_softmax(logits, 0)), [0]))
    return torch.mul(torch.add(a, b), -0.5)

  # Equation (7), L_itm. The negative of each image and of each text is drawn by Gumbel-max: noise is
  # Gumbel noise (2, B, B), and a row of `hard` (B, 1) is 1 to draw from softmax(logits) as ALBEF does, 0
  # to draw uniformly as the paper does. Pairs that match are never drawn.
  def matching(self: __torch__.training.Training, w: Tensor, mask: Tensor, s: Tensor, logits: Tensor, matches: Tensor, noise: Tensor, hard: Tensor) -> Tensor:
    forbidden = torch.mul(matches, -10000.)                                                      # (B, B)
    l = torch.detach(logits)
    a = torch.add(torch.add(torch.mul(l, hard), forbidden), torch.select(noise, 0, 0))
    b = torch.add(torch.add(torch.mul(torch.t(l), hard), torch.t(forbidden)), torch.select(noise, 0, 1))
    text = torch.argmax(a, 1)                                                                    # (B)
    image = torch.argmax(b, 1)                                                                   # (B)
    pairs_w = torch.cat([w, torch.index_select(w, 0, text), w], 0)                               # (K, N, H)
    pairs_mask = torch.cat([mask, torch.index_select(mask, 0, text), mask], 0)                   # (K, N)
    pairs_s = torch.cat([s, s, torch.index_select(s, 0, image)], 0)                              # (K, M, H)
    z = (self.model).fuse(pairs_w, pairs_mask, pairs_s)                                          # (K, 2)
    y = torch.cat([torch.ones_like(text), torch.zeros_like(text), torch.zeros_like(image)], 0)   # (K)
    return torch.cross_entropy_loss(z, y)

  # Equation (3), L_mlm. labels (B, N): the id that stood at a masked place, -100 elsewhere.
  def language(self: __torch__.training.Training, masked: Tensor, mask: Tensor, s: Tensor, labels: Tensor) -> Tensor:
    w = (self.model).encode_text(masked, mask)                                                   # (B, N, H)
    u = (self.model.fusion).forward(w, (self.model).bias(mask), s)                               # (B, N, H)
    z = (self.mlm).forward(u, self.model.text.word)                                              # (B, N, V)
    return torch.cross_entropy_loss(torch.flatten(z, 0, 1), torch.flatten(labels))

  # (4): the sum, and L_itc, L_itm, L_mlm apart.
  def loss(self: __torch__.training.Training, pixels: Tensor, ids: Tensor, mask: Tensor, masked: Tensor, labels: Tensor, matches: Tensor, noise: Tensor, hard: Tensor) -> Tensor:
    s = (self.model).encode_image_SENSOR(pixels)                                                 # (B, M, H)
    w = (self.model).encode_text(ids, mask)                                                      # (B, N, H)
    e = (self.model).filter_image(torch.select(s, 1, 0))                                         # (B, D)
    t = (self.model).filter_text(torch.select(w, 1, 0))                                          # (B, D)
    logits = torch.mul(torch.matmul(e, torch.t(t)), (self.model.filter).scale())                 # (B, B)
    none = torch.mul(torch.sum(logits), 0.)
    itc, itm, mlm = none, none, none
    if torch.gt(self.itc_weight, 0.):
      itc = self.contrast(logits, matches)
    else:
      pass
    if torch.gt(self.itm_weight, 0.):
      itm = self.matching(w, mask, s, logits, matches, noise, hard)
    else:
      pass
    if torch.gt(self.mlm_weight, 0.):
      mlm = self.language(masked, mask, s, labels)
    else:
      pass
    a = torch.add(torch.mul(itc, self.itc_weight), torch.mul(itm, self.itm_weight))
    return torch.stack([torch.add(a, torch.mul(mlm, self.mlm_weight)), itc, itm, mlm], 0)

  def forward(self: __torch__.training.Training, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.training.Training) -> List[Tensor]:
    return BUFFERS

  # Clips the gradients g to a global norm, then AdamW (Loshchilov and Hutter 2019) on p, then the
  # moving average e of p. Two calls share one norm: matrices decay, vectors do not. A slice of a list
  # would be a copy, and updating it in place would update nothing; hence whole lists.
  def norm(self: __torch__.training.Training, g: List[Tensor]) -> Tensor:
    return torch.linalg_vector_norm(torch.stack(torch._foreach_norm(g), 0))
  def step(self: __torch__.training.Training, p: List[Tensor], g: List[Tensor], m: List[Tensor], v: List[Tensor], t: List[Tensor], e: List[Tensor], scale: float, lr: float, decay: float, average: float) -> NoneType:
    torch._foreach_mul_(g, scale)
    torch._foreach_add_(t, 1.)
    torch._fused_adamw_(p, g, m, v, annotate(List[Tensor], []), t, lr=lr, beta1=0.90000000000000002, beta2=0.98999999999999999, weight_decay=decay, eps=1e-08, amsgrad=False, maximize=False)
    torch._foreach_zero_(g)
    torch._foreach_lerp_(e, p, average)
    return None
  def lerp(self: __torch__.training.Training, e: List[Tensor], p: List[Tensor], average: float) -> NoneType:
    torch._foreach_lerp_(e, p, average)
    return None
  # In place, behind autograd's back: for checkpoints.
  def assign(self: __torch__.training.Training, p: Tensor, value: Tensor) -> NoneType:
    torch.copy_(torch.detach(p), value)
    return None
