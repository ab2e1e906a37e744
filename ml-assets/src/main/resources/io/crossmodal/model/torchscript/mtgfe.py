# MTGFE: towers, fusion encoder, matching head and the filter's two projections.
# Method names are the contract between this archive and whoever opens it (docs: ModelBundle).

class Filter(Module):
  __parameters__ = ["log_scale", ]
  __buffers__ = []
  training : bool
  text : __torch__.nn.Linear
  image : __torch__.nn.Linear
  log_scale : Tensor  # (1), log of 1 / temperature
  def unit(self: __torch__.mtgfe.Filter, e: Tensor) -> Tensor:
    return torch.div(e, torch.clamp_min(torch.norm(e, 2, [1], True), 9.9999999999999995e-07))  # (B, D)
  def embed_text(self: __torch__.mtgfe.Filter, cls: Tensor) -> Tensor:
    return self.unit((self.text).forward(cls))   # (B, H) -> (B, D), unit length
  def embed_image(self: __torch__.mtgfe.Filter, cls: Tensor) -> Tensor:
    return self.unit((self.image).forward(cls))  # (B, H) -> (B, D), unit length
  def scale(self: __torch__.mtgfe.Filter) -> Tensor:
    return torch.exp(torch.clamp_max(self.log_scale, 4.6051701859880918))  # (1), at most 100 as in CLIP

# The paper's retrieval filter, section 3.4: three layers on cat(v_cls, w_cls). Its score is no dot
# product, so no index can search by it: a second stage, not the first.
class FilterMlp(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  fc1 : __torch__.nn.Linear
  norm1 : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  norm2 : __torch__.nn.BatchNorm
  fc3 : __torch__.nn.Linear
  # v (B, H), w (B or 1, H): class tokens of images and texts.
  def forward(self: __torch__.mtgfe.FilterMlp, v: Tensor, w: Tensor) -> Tensor:
    x = torch.cat([v, torch.expand(w, [v.size(0), -1])], 1)      # (B, 2H)
    x = torch.relu((self.norm1).forward((self.fc1).forward(x)))  # (B, H)
    x = torch.relu((self.norm2).forward((self.fc2).forward(x)))  # (B, H)
    return (self.fc3).forward(x)                                 # (B, 2)

class Mtgfe(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  text : __torch__.text.TextTower
  image_{sensor} : __torch__.image.IMAGE_TOWER  # [sensor in SENSORS]
  fusion : __torch__.fusion.FusionEncoder
  itm : __torch__.nn.Linear
  filter : __torch__.mtgfe.Filter
  mlp : __torch__.mtgfe.FilterMlp  # [x in FILTER_MLP]
  # mask (B, N): 1 for a token, 0 for padding. -10000 stays inside fp16 and underflows to 0 in softmax.
  def bias(self: __torch__.mtgfe.Mtgfe, mask: Tensor) -> Tensor:
    return torch.mul(torch.rsub(torch.unsqueeze(torch.unsqueeze(mask, 1), 1), 1.), -10000.)  # (B, 1, 1, N)
  def encode_text(self: __torch__.mtgfe.Mtgfe, ids: Tensor, mask: Tensor) -> Tensor:
    return (self.text).forward(ids, self.bias(mask))   # (B, N) -> (B, N, H)
  def encode_image_{sensor}(self: __torch__.mtgfe.Mtgfe, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return (self.image_{sensor}).forward(pixels)         # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  def filter_text(self: __torch__.mtgfe.Mtgfe, cls: Tensor) -> Tensor:
    return (self.filter).embed_text(cls)               # (B, H) -> (B, D)
  def filter_image(self: __torch__.mtgfe.Mtgfe, cls: Tensor) -> Tensor:
    return (self.filter).embed_image(cls)              # (B, H) -> (B, D)
  # u_cls of the joint features U: text (B or 1, N, H), mask (B or 1, N), image (B or 1, M, H).
  def join(self: __torch__.mtgfe.Mtgfe, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
    bias = self.bias(mask)                                                     # (B or 1, 1, 1, N)
    return (self.fusion).cls((self.fusion).read_text(text, bias), bias, image) # (B, H)
  # The text of each of B pairs: x (T, ...), owner (B). A single text stays single and is shared by all.
  def of_pairs(self: __torch__.mtgfe.Mtgfe, x: Tensor, owner: Tensor) -> Tensor:
    if torch.eq(x.size(0), 1):
      y = x
    else:
      y = torch.index_select(x, 0, owner)
    return y                                                                   # (B or 1, ...)
  # ITM logits (no match, match). Pair b is text owner[b] and image b, so that one call serves the
  # candidates of several queries: text (T, N, H), mask (T, N), image (B or 1, M, H), owner (B).
  def fuse(self: __torch__.mtgfe.Mtgfe, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    bias = self.bias(mask)                                                     # (T, 1, 1, N)
    x = self.of_pairs((self.fusion).read_text(text, bias), owner)              # (B or 1, N, H)
    return (self.itm).forward((self.fusion).cls(x, self.of_pairs(bias, owner), image))  # (B, 2)
  # What a search scores with: column 0 the ITM logit (match - no match), column 1 the filter's logit.
  # Pairs as in fuse.
  def score(self: __torch__.mtgfe.Mtgfe, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    z = self.fuse(text, mask, image, owner)                                    # (B, 2)
    m = torch.sub(torch.select(z, 1, 1), torch.select(z, 1, 0))                # (B)
    t = (self.filter).embed_text(torch.select(text, 1, 0))                     # (T, D)
    v = (self.filter).embed_image(torch.select(image, 1, 0))                   # (B or 1, D)
    f = torch.sum(torch.mul(self.of_pairs(t, owner), v), [1])                  # (B)
    return torch.stack([m, torch.mul(f, (self.filter).scale())], 1)            # (B, 2)
  # The MLP filter's logits (no match, match).  # [x in FILTER_MLP]
  def filter_mlp(self: __torch__.mtgfe.Mtgfe, v: Tensor, w: Tensor) -> Tensor:  # [x in FILTER_MLP]
    return (self.mlp).forward(v, w)  # (B, H) and (B or 1, H) -> (B, 2)  # [x in FILTER_MLP]
  # Word x patch weights (B, N, M) of the last cross-attention layer but one.
  def attention(self: __torch__.mtgfe.Mtgfe, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
    return (self.fusion).attention(text, self.bias(mask), image)
  def forward(self: __torch__.mtgfe.Mtgfe, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    return self.score(text, mask, image, owner)
