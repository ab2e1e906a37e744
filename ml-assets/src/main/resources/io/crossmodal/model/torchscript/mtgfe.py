# MTGFE: towers, fusion encoder, matching head and the filter's two projections. The names of Mtgfe's
# methods are the contract between this archive and whoever opens it (docs: ModelBundle).
#
# B batch of images or of pairs   T texts   N text tokens   M image tokens, token 0 is [CLS]
# C channels   S image side in pixels   H hidden size   D filter dimension
# B1: B, or 1 that all share

# The paper's retrieval filter, section 3.4: three layers on cat(v_cls, w_cls). Its score is no dot
# product, so no index can search by it: a second stage, not the first.
class FilterMlp(Module):
  fc1 : __torch__.nn.Linear
  norm1 : __torch__.nn.BatchNorm
  fc2 : __torch__.nn.Linear
  norm2 : __torch__.nn.BatchNorm
  fc3 : __torch__.nn.Linear
  # v (B, H), w (B1, H): class tokens of images and texts.
  def __call__(self, v: Tensor, w: Tensor) -> Tensor:
    x = torch.cat([v, w.expand(v.size(0), -1)], 1)  # (B, 2H)
    x = torch.relu(self.norm1(self.fc1(x)))         # (B, H)
    x = torch.relu(self.norm2(self.fc2(x)))         # (B, H)
    return self.fc3(x)                              # (B, 2)

class Mtgfe(Module):
  text : __torch__.text.TextTower
  image_{sensor} : __torch__.image.IMAGE_TOWER  # [sensor in SENSORS]
  fusion : __torch__.fusion.FusionEncoder
  itm : __torch__.nn.Linear
  filter : __torch__.mtgfe.Filter
  mlp : __torch__.mtgfe.FilterMlp  # [x in FILTER_MLP]
  tokens : __torch__.tokens.TokenProjection  # [x in STORED]
  # mask (T, N): 1 for a token, 0 for padding. -10000 stays inside fp16 and underflows to 0 in softmax.
  def bias(self, mask: Tensor) -> Tensor:
    return (1. - mask[:, None, None]) * -10000.  # (T, 1, 1, N)
  def encode_text(self, ids: Tensor, mask: Tensor) -> Tensor:
    return self.text(ids, self.bias(mask))       # (T, N) -> (T, N, H)
  # The same for texts that stand by their length, in quarters that are padded to their own longest: a token of  # [x in TRAINED]
  # padding costs as much as a word.  # [x in TRAINED]
  def encode_by_length(self, ids: Tensor, mask: Tensor) -> Tensor:  # [x in TRAINED]
    all = annotate(List[Tensor], [])  # [x in TRAINED]
    t = ids.size(0)  # [x in TRAINED]
    parts = min(4, t)  # [x in TRAINED]
    for g in range(parts):  # [x in TRAINED]
      a, b = t * g // parts, t * (g + 1) // parts  # [x in TRAINED]
      n = int(mask[a:b].sum([1]).amax())  # [x in TRAINED]
      w = self.encode_text(ids[a:b, :n], mask[a:b, :n])                      # (b - a, n, H)  # [x in TRAINED]
      _0 = torch.append(all, torch.constant_pad_nd(w, [0, 0, 0, ids.size(1) - n]))  # [x in TRAINED]
    return torch.cat(all, 0)                     # (T, N, H)  # [x in TRAINED]
  def encode_image_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in SENSORS]
    return self.image_{sensor}(pixels)           # (B, C, S, S) -> (B, M, H)  # [sensor in SENSORS]
  # The tower in two parts, for a training that leaves the first as it is.  # [x in CUT]
  def image_bottom_{sensor}(self, pixels: Tensor) -> Tensor:  # [sensor in CUT_SENSORS]
    return self.image_{sensor}.bottom(pixels)    # (B, C, S, S) -> (B, 2G, 2G, C)  # [sensor in CUT_SENSORS]
  def encode_image_from_{sensor}(self, features: Tensor) -> Tensor:  # [sensor in CUT_SENSORS]
    return self.image_{sensor}.top(features)     # (B, 2G, 2G, C) -> (B, M, H)  # [sensor in CUT_SENSORS]
  # What of an image's tokens is stored; image in the methods below is such tokens, T wide.  # [x in STORED]
  def store(self, image: Tensor) -> Tensor:  # [x in STORED]
    return self.tokens.store(image)              # (B, M, H) -> (B, K, T)  # [x in STORED]
  def filter_text(self, cls: Tensor) -> Tensor:
    return self.filter.embed_text(cls)           # (T, H) -> (T, D)
  def filter_image(self, cls: Tensor) -> Tensor:
    return self.filter.embed_image(cls)          # (B, H) -> (B, D)
  # The text of each of B pairs: x (T, ...), owner (B). A single text stays single and is shared by all.
  def of_pairs(self, x: Tensor, owner: Tensor) -> Tensor:
    return x if x.size(0) == 1 else torch.index_select(x, 0, owner)          # (B1, ...)
  # ITM logits (no match, match). Pair b is text owner[b] and image b, so that one call serves the
  # candidates of several queries: text (T, N, H), mask (T, N), image (B1, M, H), owner (B).
  def fuse(self, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    bias = self.bias(mask)                                                   # (T, 1, 1, N)
    x = self.of_pairs(self.fusion.read_text(text, bias), owner)              # (B1, N, H)
    return self.itm(self.fusion.cls(x, self.of_pairs(bias, owner), image))   # (B, 2)
  # What a search scores with: column 0 the ITM logit (match - no match), column 1 the filter's logit.
  # Pairs as in fuse.
  def score(self, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    z = self.fuse(text, mask, image, owner)                                  # (B, 2)
    m = z[:, 1] - z[:, 0]                                                    # (B)
    t = self.filter.embed_text(text[:, 0])                                   # (T, D)
    v = self.filter.embed_image(image[:, 0])                                 # (B1, D)  # [x in UNSTORED]
    v = self.filter.embed_image(self.tokens.class_token(image[:, 0]))        # (B1, D)  # [x in STORED]
    f = (self.of_pairs(t, owner) * v).sum([1])                               # (B)
    return torch.stack([m, f * self.filter.scale()], 1)                      # (B, 2)
  # The MLP filter's logits (no match, match): v (B, H), w (B1, H).  # [x in FILTER_MLP]
  def filter_mlp(self, v: Tensor, w: Tensor) -> Tensor:  # [x in FILTER_MLP]
    return self.mlp(v, w)                                                    # (B, 2)  # [x in MLP_UNSTORED]
    return self.mlp(self.tokens.class_token(v), w)                           # (B, 2)  # [x in MLP_STORED]
  # Word x patch weights of the last cross-attention layer but one; text (B1, N, H), mask (B1, N), image (B1, M, H).
  def attention(self, text: Tensor, mask: Tensor, image: Tensor) -> Tensor:
    return self.fusion.attention(text, self.bias(mask), image)               # (B, N, M)
  def forward(self, text: Tensor, mask: Tensor, image: Tensor, owner: Tensor) -> Tensor:
    return self.score(text, mask, image, owner)                              # (B, 2)
