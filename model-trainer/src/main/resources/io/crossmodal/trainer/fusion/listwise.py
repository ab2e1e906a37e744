# Listwise image-text matching: the fusion encoder orders the bi-encoder's own first answers.
#
# I images   T texts, of N tokens, the shortest first   Q queries, texts first, then pictures   C candidates of
# a query, its own first   P = Q * C pairs   M image tokens   H hidden size   G parts   D filter dimension

# What learns of a model whose towers' outputs are all that is needed of them.
class Head(Module):
  fusion : __torch__.fusion.FusionEncoder
  itm : __torch__.nn.Linear
  filter : __torch__.mtgfe.Filter  # [x in STORED]
  tokens : __torch__.tokens.TokenProjection  # [x in STORED]

# Logits m (Q, C) that shall be a teacher's, t (Q, C): in their order, by listwise KL, and each by itself, by the
# cross-entropy of its probability.
def taught(m: Tensor, t: Tensor) -> Tensor:
  order = (torch.softmax(t, 1) * (torch.log_softmax(t, 1) - torch.log_softmax(m, 1))).sum([1]).mean()
  each = torch.clamp_min(m, 0.) - m * torch.sigmoid(t) + torch.log1p(torch.exp(-torch.abs(m)))  # (Q, C)
  return order + each.mean()

class Listwise(Module):
  model : __torch__.MODEL_TYPE
  TEACHER
  # ITM's logits (match - no match) of pairs, those of the shortest texts first: text and image (P) are their
  # rows of w (T, N, H), mask (T, N) and s (I, M, H); parts (G, 3) has of each part of the pairs its first, the one
  # behind its last, and its longest text.
  def match(self, fusion: __torch__.fusion.FusionEncoder, itm: __torch__.nn.Linear, w: Tensor, mask: Tensor, s: Tensor, text: Tensor, image: Tensor, parts: Tensor) -> Tensor:
    bias = (1. - mask[:, None, None]) * -10000.                    # (T, 1, 1, N)
    x = fusion.read_text(w, bias)                                  # (T, N, H)
    kv = fusion.images(s)
    all = annotate(List[Tensor], [])
    for g in range(parts.size(0)):
      a, b, n = int(parts[g][0]), int(parts[g][1]), int(parts[g][2])
      y = torch.index_select(x[:, :n], 0, text[a:b])               # (b - a, n, H)
      p = torch.index_select(bias[:, :, :, :n], 0, text[a:b])      # (b - a, 1, 1, n)
      u = fusion.cls_shared(y, p, kv, image[a:b])                  # (b - a, H)
      _0 = torch.append(all, itm(u))                               # (b - a, 2)
    z = torch.cat(all, 0)                                          # (P, 2)
    return z[:, 1] - z[:, 0]                                       # (P)
  # (3): the loss twice, softmax cross-entropy of a query's own answer among its candidates, and the share
  # of queries that put it first. features (I, ...); words (T, N, H); place (P) has of each pair, by query, where it stands in
  # text and image.
  def loss(self, features: Tensor, words: Tensor, mask: Tensor, text: Tensor, image: Tensor, pairs: Tensor, place: Tensor) -> Tensor:
    f = TOKENS                                                     # (I, M, H)
    s = f                                                          # (I, M, H)
    s = self.model.tokens.store(f)                                 # (I, K, T), stored  # [x in STORED]
    w = torch.dropout(words, DROPPED, True)                        # (T, N, H)
    m = self.match(self.model.fusion, self.model.itm, w, mask, s, text, image, pairs)  # (P)
    m = torch.index_select(m, 0, place)                            # (P)
    m = m.view(-1, CANDIDATES)                                     # (Q, C)
    LEARNT
    # A stored [CLS] shall be to the filter what the whole one is; its cosines are multiplied by some 60.  # [x in STORED]
    e = self.model.filter.embed_image(f[:, 0])                     # (I, D)  # [x in STORED]
    v = self.model.filter.embed_image(self.model.tokens.class_token(s[:, 0]))  # (I, D)  # [x in STORED]
    l = l + (1. - (e * v).sum([1])).mean() * 10.  # [x in STORED]
    first = (m.detach()[:, 0] >= m.detach().amax([1])).type_as(m).mean()
    return torch.stack([l, l, first], 0)

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
