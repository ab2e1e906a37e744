# Losses around the model; an exported model leaves all of this behind.
# Letters as in nn.py.

# The head of masked language modelling (BERT's transform; the decoder is the word embedding).
class MaskedLanguageHead(Module):
  __parameters__ = ["bias"]
  dense : __torch__.nn.Linear
  norm : __torch__.nn.LayerNorm
  bias : Tensor  # (V)
  def __call__(self, u: Tensor, word: Tensor) -> Tensor:
    x = self.norm(torch.gelu(self.dense(u)))  # (..., H)
    return torch.linear(x, word, self.bias)   # (..., V)

# f_proj and f_pred of section 3.3.2 (SimSiam's heads, Chen and He 2021): three layers with batch norm,
# no ReLU behind the last, then two.
class Projector(Module):
  fc1 : __torch__.nn.Linear
  norm1 : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  norm2 : __torch__.nn.BatchNorm
  fc3 : __torch__.nn.Linear
  norm3 : __torch__.nn.BatchNorm
  def __call__(self, u: Tensor) -> Tensor:
    x = torch.relu(self.norm1(self.fc1(u)))  # (B, H)
    x = torch.relu(self.norm2(self.fc2(x)))  # (B, H)
    return self.norm3(self.fc3(x))           # (B, H)

class Predictor(Module):
  fc1 : __torch__.nn.Linear
  norm : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  def __call__(self, z: Tensor) -> Tensor:
    x = torch.relu(self.norm(self.fc1(z)))  # (B, H / 4)
    return self.fc2(x)                      # (B, H)

class MultiViewHead(Module):
  project : __torch__.training.Projector
  predict : __torch__.training.Predictor
  # Equation (4): S(p, z), with equation (6)'s stopgrad on z.
  def similarity(self, p: Tensor, z: Tensor) -> Tensor:
    return torch.cosine_similarity(p, z.detach(), 1, 1e-08).mean()  # (1)
  # Equation (6), L_mvjrc. The paper prints it without the minus sign that makes it a loss.
  def forward(self, u1: Tensor, u2: Tensor) -> Tensor:
    z1 = self.project(u1)  # (B, H)
    z2 = self.project(u2)  # (B, H)
    p1 = self.predict(z1)  # (B, H)
    p2 = self.predict(z2)  # (B, H)
    return (self.similarity(p1, z2) + self.similarity(p2, z1)) * -0.5

class Training(Module):
  model : __torch__.mtgfe.Mtgfe
  mlm : __torch__.training.MaskedLanguageHead
  mvjrc : __torch__.training.MultiViewHead
  contrast : __torch__.contrast.Contrast
  momentum_contrast : __torch__.contrast.MomentumContrast
  itc_weight : float
  itm_weight : float
  mlm_weight : float
  mvjrc_weight : float

  # Equation (7), L_itm. The negative of each image and of each text is drawn by Gumbel-max: noise is
  # Gumbel noise (2, B, B), and a row of `hard` (B, 1) is 1 to draw from softmax(logits) as ALBEF does, 0
  # to draw uniformly as the paper does. Pairs that match are not drawn; an image or text that all of the
  # batch match has no negative, and its label -100 leaves it out. u (B, H) is u_cls of the positives, x
  # (B, N, H) their texts as the fusion encoder reads them, kv the images as it sees them.
  def matching(self, u: Tensor, x: Tensor, bias: Tensor, kv: List[Tensor], own: Tensor, logits: Tensor, matches: Tensor, similar: Tensor, noise: Tensor, hard: Tensor) -> Tensor:
    forbidden = (matches + similar) * -10000.                             # (B, B)
    l = logits.detach()
    a = l * hard + forbidden + noise[0]
    b = l.t() * hard + forbidden.t() + noise[1]
    text = torch.argmax(a, 1)                                             # (B)
    image = torch.argmax(b, 1)                                            # (B)
    of_text = torch.cat([text, own], 0)                                   # (2B)
    of_image = torch.cat([own, image], 0)                                 # (2B)
    pairs = torch.index_select(x, 0, of_text)                             # (2B, N, H)
    n = self.model.fusion.cls_shared(pairs, torch.index_select(bias, 0, of_text), kv, of_image)  # (2B, H)
    z = self.model.itm(torch.cat([u, n], 0))                              # (3B, 2)
    no_text = (matches.amin([1]) * -100.).type_as(text)                   # (B)
    no_image = (matches.amin([0]) * -100.).type_as(image)                 # (B)
    y = torch.cat([torch.ones_like(text), no_text, no_image], 0)          # (3B)
    return torch.cross_entropy_loss(z, y)

  # Equation (3), L_mlm. labels (B, N): the id that stood at a masked place, -100 elsewhere.
  def language(self, masked: Tensor, mask: Tensor, kv: List[Tensor], own: Tensor, labels: Tensor) -> Tensor:
    w = self.model.encode_by_length(masked, mask)                                   # (B, N, H)
    u = self.model.fusion(w, self.model.bias(mask), kv, own)                        # (B, N, H)
    y = labels.flatten()                                                            # (B * N)
    at = (y >= 0).nonzero().squeeze(1)                                              # (K), masked
    z = self.mlm(torch.index_select(u.flatten(0, 1), 0, at), self.model.text.word)  # (K, V)
    return torch.cross_entropy_loss(z, torch.index_select(y, 0, at))

  # The bi-encoder's scale. Its own clamp has no gradient beyond the bound, so that a temperature which overshot
  # would stay there for good.
  def scale(self) -> Tensor:
    l = self.model.filter.log_scale                                   # (1)
    return torch.exp(l - torch.relu(l - 4.605170185988092).detach())  # (1), at most 100

  # L_itc. keys (2, K, D) and key_matches (2, B, K) as in MomentumContrast; K is 0 without momentum.
  def contrastive(self, e: Tensor, t: Tensor, logits: Tensor, matches: Tensor, similar: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    if keys.size(1) > 0:
      itc = self.momentum_contrast.forward(e, t, keys, key_matches, self.scale())
    else:
      itc = self.contrast.forward(logits + similar * -10000., matches)
    return itc

  # (5): equation (8)'s sum with L_itc added, and L_itc, L_itm, L_mlm, L_mvjrc apart. pixels holds B
  # images, or 2B where MVJRC takes part: the second views behind the first ones, which all tasks see.
  # ids (B, N) stand by the length of their texts.
  def loss(self, pixels: Tensor, ids: Tensor, mask: Tensor, masked: Tensor, labels: Tensor, matches: Tensor, similar: Tensor, noise: Tensor, hard: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    views = self.model.ENCODE_IMAGE(pixels)  # (B or 2B, M, H)
    s = views[:ids.size(0)]                         # (B, M, H)
    w = self.model.encode_by_length(ids, mask)      # (B, N, H)
    e = self.model.filter_image(s[:, 0])            # (B, D)
    t = self.model.filter_text(w[:, 0])             # (B, D)
    logits = e @ t.t() * self.scale()               # (B, B)
    none = logits.sum() * 0.
    itc, itm, mlm, mvjrc, u = none, none, none, none, none
    if self.itc_weight > 0.:
      itc = self.contrastive(e, t, logits, matches, similar, keys, key_matches)
    bias = self.model.bias(mask)                    # (B, 1, 1, N)
    own = torch.arange(ids.size(0), dtype=4, layout=None, device=ops.prim.device(ids))  # (B)
    kv = annotate(List[Tensor], [])
    x = w
    if self.itm_weight + self.mlm_weight + self.mvjrc_weight > 0.:
      kv = self.model.fusion.images(s)  # [x in UNSTORED]
      kv = self.model.fusion.images(self.model.store(s))  # [x in STORED]
    if self.itm_weight + self.mvjrc_weight > 0.:
      x = self.model.fusion.read_text(w, bias)      # (B, N, H)
      u = self.model.fusion.cls_shared(x, bias, kv, own)  # (B, H)
    if self.itm_weight > 0.:
      itm = self.matching(u, x, bias, kv, own, logits, matches, similar, noise, hard)
    if self.mlm_weight > 0.:
      mlm = self.language(masked, mask, kv, own, labels)
    if self.mvjrc_weight > 0.:
      kv2 = self.model.fusion.images(views[ids.size(0):])  # [x in UNSTORED]
      kv2 = self.model.fusion.images(self.model.store(views[ids.size(0):]))  # [x in STORED]
      mvjrc = self.mvjrc.forward(u, self.model.fusion.cls_shared(x, bias, kv2, own))
    a = itc * self.itc_weight + itm * self.itm_weight
    b = mlm * self.mlm_weight + mvjrc * self.mvjrc_weight
    # A stored [CLS] shall be to the filter what the whole one is; its cosines are multiplied by some 60.  # [x in STORED]
    v = self.model.filter_image(self.model.tokens.class_token(self.model.store(s.detach())[:, 0]))  # (B, D)  # [x in STORED]
    b = b + (1. - (e.detach() * v).sum([1])).mean() * 10.  # [x in STORED]
    return torch.stack([a + b, itc, itm, mlm, mvjrc], 0)

  # (5), of which L_itc alone counts: the stage before the other tasks join. Arguments of loss.
  def itc_loss(self, pixels: Tensor, ids: Tensor, mask: Tensor, masked: Tensor, labels: Tensor, matches: Tensor, similar: Tensor, noise: Tensor, hard: Tensor, keys: Tensor, key_matches: Tensor) -> Tensor:
    s = self.model.ENCODE_IMAGE(pixels)  # (B, M, H)
    w = self.model.encode_by_length(ids, mask)  # (B, N, H)
    e = self.model.filter_image(s[:, 0])        # (B, D)
    t = self.model.filter_text(w[:, 0])         # (B, D)
    logits = e @ t.t() * self.scale()           # (B, B)
    itc = self.contrastive(e, t, logits, matches, similar, keys, key_matches)
    none = itc * 0.
    return torch.stack([itc * self.itc_weight, itc, none, none, none], 0)

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
