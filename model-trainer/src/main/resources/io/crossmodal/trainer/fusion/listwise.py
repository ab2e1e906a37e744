# Listwise image-text matching: the fusion encoder orders the bi-encoder's own first answers.
#
# I images   T texts, of N tokens   Q queries, texts first, then pictures   C candidates of a query, its own
# first   P = Q * C pairs   M image tokens   H hidden size
class Listwise(Module):
  model : __torch__.mtgfe.Mtgfe
  # ITM's logits (match - no match) of pairs: text and image (P) are their rows of w (T, N, H), mask (T, N)
  # and s (I, M, H).
  def match(self, w: Tensor, mask: Tensor, s: Tensor, text: Tensor, image: Tensor) -> Tensor:
    bias = self.model.bias(mask)                                # (T, 1, 1, N)
    x = self.model.fusion.read_text(w, bias)                    # (T, N, H)
    x = torch.index_select(x, 0, text)                          # (P, N, H)
    b = torch.index_select(bias, 0, text)                       # (P, 1, 1, N)
    z = self.model.itm(self.model.fusion.cls(x, b, torch.index_select(s, 0, image)))  # (P, 2)
    return z[:, 1] - z[:, 0]                                    # (P)
  # (3): the loss twice, softmax cross-entropy of a query's own answer among its candidates, and the share
  # of queries that put it first. features (I, ...), ids and mask (T, N), text and image (P), by query.
  def loss(self, features: Tensor, ids: Tensor, mask: Tensor, text: Tensor, image: Tensor) -> Tensor:
    s = TOKENS                                                  # (I, M, H)
    w = torch.dropout(self.model.encode_text(ids, mask), DROPPED, True)  # (T, N, H)
    m = self.match(w, mask, s, text, image).view(-1, CANDIDATES)  # (Q, C)
    l = -torch.log_softmax(m, 1)[:, 0].mean()
    first = (m.detach()[:, 0] >= m.detach().amax([1])).type_as(m).mean()
    return torch.stack([l, l, first], 0)

  def forward(self, x: Tensor) -> Tensor:
    return x

  def buffers(self) -> List[Tensor]:
    return BUFFERS
