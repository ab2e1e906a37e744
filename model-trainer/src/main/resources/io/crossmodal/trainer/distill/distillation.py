# Section 3.4: the fusion encoder teaches a bi-encoder and an MLP pre-ranker, which see class tokens only.
# Q texts, each with K candidate images of which the first is its own.

class Distillation(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  filter : __torch__.mtgfe.Filter
  mlp : __torch__.mtgfe.FilterMlp
  contrast : __torch__.contrast.Contrast
  alpha : float
  contrast_weight : float

  # KL(p_teacher, p_student), mean over the rows; p (R, C) probabilities, z (R, C) logits.
  def divergence(self: __torch__.distillation.Distillation, p: Tensor, z: Tensor) -> Tensor:
    log_p = torch.log(torch.clamp_min(p, 1.0000000000000001e-09))
    return torch.mean(torch.sum(torch.mul(p, torch.sub(log_p, torch.log_softmax(z, 1))), [1]))

  # The dot product learns the teacher's order of each text's candidates: listwise KL, which unlike the
  # KL of single scores teaches how hard negatives are ordered (2407.07479).
  def listwise(self: __torch__.distillation.Distillation, t: Tensor, e: Tensor, ranking: Tensor) -> Tensor:
    s = torch.sum(torch.mul(e, torch.unsqueeze(t, 1)), [2])                           # (Q, K)
    return self.divergence(torch.softmax(ranking, 1), torch.mul(s, (self.filter).scale()))

  # w (Q, H), v (Q, K, H): class tokens. itm (Q, K): the teacher's matching logits, ranking (Q, K): the
  # logits it ranks by. labels (Q, K): 1 where the pair belongs together. matches (Q, Q): own images against texts.
  # (5): the sum; listwise, contrast, L_soft and L_hard apart.
  def loss(self: __torch__.distillation.Distillation, w: Tensor, v: Tensor, itm: Tensor, ranking: Tensor, labels: Tensor, matches: Tensor) -> Tensor:
    t = (self.filter).embed_text(w)                                                   # (Q, D)
    e = (self.filter).embed_image(torch.flatten(v, 0, 1))                             # (QK, D)
    e = torch.view(e, [v.size(0), v.size(1), -1])                                     # (Q, K, D)
    order = self.listwise(t, e, ranking)
    own = torch.matmul(torch.select(e, 1, 0), torch.t(t))                             # (Q, Q)
    contrast = (self.contrast).forward(torch.mul(own, (self.filter).scale()), matches)
    texts = torch.expand(torch.unsqueeze(w, 1), [-1, v.size(1), -1])                  # (Q, K, H)
    z = (self.mlp).forward(torch.flatten(v, 0, 1), torch.flatten(texts, 0, 1))        # (QK, 2)
    p = torch.sigmoid(torch.flatten(itm))                                             # (QK)
    soft = self.divergence(torch.stack([torch.rsub(p, 1.), p], 1), z)                 # L_soft
    hard = torch.cross_entropy_loss(z, torch.flatten(labels))                         # L_hard
    dot = torch.add(order, torch.mul(contrast, self.contrast_weight))
    mlp = torch.add(soft, torch.mul(hard, self.alpha))                                # L_distill
    return torch.stack([torch.add(dot, mlp), order, contrast, soft, hard], 0)

  def forward(self: __torch__.distillation.Distillation, x: Tensor) -> Tensor:
    return x

  def buffers(self: __torch__.distillation.Distillation) -> List[Tensor]:
    return BUFFERS
