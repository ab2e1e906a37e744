"""Makes checkpoints of many shapes and kinds, of random weights, with what open_clip and transformers compute
from them in float32: a folder each, with weights, config, tokenizer, golden.safetensors, and expect.txt, which is
"equal" or "refused:" and parts of the reason, one of which is in the message.

    pip install open_clip_torch==3.3.0 transformers==5.24.0 torch timm safetensors
    python make_clip_shapes.py FOLDER                 # all: ClipShapesTest with -Dcrossmodal.clips=FOLDER
    python make_clip_shapes.py FOLDER shipped-a ...   # those of the names

clip-shapes.zip is the two that begin with "shipped".
"""

import gzip
import json
import os
import shutil
import sys

import open_clip
import torch
import transformers
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file

OUT = sys.argv[1]
ONLY = sys.argv[2:]
MERGES = ["#version: 0.2", "n d</w>", "p o", "po nd</w>", "s e", "se a</w>"]
TEXTS = ["a pond", "the sea", "12 tanks beside a pond", "roads", "", "sea " * 100]
V = 519
torch.manual_seed(19)
with open("merges.gz", "wb") as f:
    f.write(gzip.compress("\n".join(MERGES).encode()))


def scramble(m, s=0.25):
    with torch.no_grad():
        for n, p in m.named_parameters():
            if p.dim() == 0:
                continue
            if "embedding" in n or "position" in n:
                p.copy_(torch.randn_like(p) * s)
            else:
                p.add_(torch.randn_like(p) * s * (1 if p.dim() < 2 else (0.8 / (p[0].numel() ** 0.5))))
        if hasattr(m, "logit_scale"):
            m.logit_scale.fill_(3.0)
    return m.eval()


def folder(name):
    d = os.path.join(OUT, name)
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    return d


def finish(d, expect, **golden):
    open(d + "/expect.txt", "w").write(expect)
    open(d + "/merges.txt", "w").write("\n".join(MERGES))
    if golden:
        save_file({k: v.float().contiguous() for k, v in golden.items()}, d + "/golden.safetensors")


def rounded(m, dt):
    return m.to(dt).float() if dt else m


def oc(
    name,
    side,
    vision,
    text,
    embed=16,
    quick=False,
    expect="equal",
    save="safetensors",
    dt=None,
    config=True,
    cls=None,
    top={},
    prefix="",
    drop_cfg=(),
    golden=True,
    wrap=None,
    options="",
):
    if ONLY and name not in ONLY or os.path.exists(os.path.join(OUT, name, "expect.txt")):
        return
    d = folder(name)
    tc = dict(context_length=77, vocab_size=V, width=20, heads=2, layers=1)
    tc.update(text)
    vc = dict(image_size=side, layers=2, width=24, head_width=8, patch_size=8)
    vc.update(vision)
    C = cls or open_clip.model.CLIP
    m = C(
        embed_dim=embed,
        vision_cfg=dict(vc),
        text_cfg=dict(tc),
        quick_gelu=quick,
        **{k: v for k, v in top.items() if k not in ("custom_text",)}
    )
    scramble(m)
    rounded(m, dt)
    sd = {prefix + k: (v.to(dt) if dt else v).contiguous().clone() for k, v in m.state_dict().items()}
    if wrap:
        sd = wrap(sd, m)
    if save == "safetensors":
        save_file(sd, d + "/open_clip_model.safetensors")
    elif save == "legacy":
        torch.save(sd, d + "/weights.pt", _use_new_zipfile_serialization=False)
    else:
        torch.save(sd, d + "/" + save)
    if config:
        cfg = dict(embed_dim=embed, vision_cfg=vc, text_cfg=tc, **{k: v for k, v in top.items()})
        if quick:
            cfg["quick_gelu"] = True
        json.dump(
            {"model_cfg": cfg, "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3]}},
            open(d + "/open_clip_config.json", "w"),
        )
    if options:
        open(d + "/options.txt", "w").write(options)
    if not golden or expect != "equal":
        return finish(d, expect)
    ctx = tc["context_length"]
    ids = SimpleTokenizer("merges.gz", context_length=ctx)(TEXTS)
    h, w = side if isinstance(side, (list, tuple)) else (side, side)
    px = torch.randn(2, 3, h, w)
    with torch.no_grad():
        finish(
            d,
            expect,
            pixels=px,
            ids=ids,
            image_embedding=m.encode_image(px, normalize=True),
            text_embedding=m.encode_text(ids, normalize=True),
        )


def hf(name, vision, text, proj=16, expect="equal", dt=None, shard=None, bin=False, golden=True, edit=None, drop=()):
    if ONLY and name not in ONLY or os.path.exists(os.path.join(OUT, name, "expect.txt")):
        return
    d = folder(name)
    vc = dict(
        hidden_size=24, intermediate_size=60, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8
    )
    vc.update(vision)
    tc = dict(
        vocab_size=V,
        hidden_size=20,
        intermediate_size=50,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        eos_token_id=V - 1,
        bos_token_id=V - 2,
        pad_token_id=V - 1,
    )
    tc.update(text)
    cfg = transformers.CLIPConfig(text_config=tc, vision_config=vc, projection_dim=proj)
    m = transformers.CLIPModel(cfg)
    scramble(m)
    rounded(m, dt)
    if dt:
        m = m.to(dt)
    if bin:
        cfg.save_pretrained(d)
        torch.save(m.state_dict(), d + "/pytorch_model.bin")
    else:
        m.save_pretrained(d, **(dict(max_shard_size=shard) if shard else {}))
    m = m.float()
    if edit:
        j = json.load(open(d + "/config.json"))
        edit(j)
        json.dump(j, open(d + "/config.json", "w"))
    for f in drop:
        os.remove(d + "/" + f)
    # the tokenizer in Hugging Face's layout
    st = SimpleTokenizer("merges.gz", context_length=tc["max_position_embeddings"])
    json.dump({k: v for k, v in st.encoder.items()}, open(d + "/vocab.json", "w"))
    ids = st(TEXTS)
    s = vc["image_size"]
    px = torch.randn(2, 3, s, s)

    def n(x):
        x = x if torch.is_tensor(x) else x.pooler_output
        return torch.nn.functional.normalize(x, dim=-1)

    json.dump(
        {
            "do_resize": True,
            "size": {"shortest_edge": s},
            "crop_size": {"height": s, "width": s},
            "do_center_crop": True,
            "image_mean": [0.5, 0.4, 0.3],
            "image_std": [0.2, 0.25, 0.3],
            "resample": 3,
        },
        open(d + "/preprocessor_config.json", "w"),
    )
    if not golden or expect != "equal":
        return finish(d, expect)
    with torch.no_grad():
        o = m(input_ids=ids, pixel_values=px)
        finish(d, expect, pixels=px, ids=ids, image_embedding=o.image_embeds, text_embedding=o.text_embeds)


CT = open_clip.model.CustomTextCLIP
b = torch.bfloat16
h = torch.float16
# ---- equal
oc("oc-p32-224-gelu", 224, dict(patch_size=32, width=48, head_width=16), {}, dt=h, save="weights.pt")
oc(
    "oc-p14-224-quick-c52",
    224,
    dict(patch_size=14, width=40, head_width=8),
    dict(context_length=52, width=28, heads=7),
    quick=True,
    dt=h,
)
oc("oc-p16-336-c64", 336, dict(patch_size=16, width=24, head_width=4), dict(context_length=64), dt=b)
oc("oc-p14-448", 448, dict(patch_size=14, width=16, head_width=8, layers=1), {}, dt=h)
oc("oc-joint-wider", 32, dict(width=24), dict(width=20), embed=40)
oc("oc-mlp-ratio", 32, dict(mlp_ratio=4.9231), dict(mlp_ratio=2.5))
oc("oc-custom-text", 32, {}, {}, cls=CT, top=dict(custom_text=True))
oc(
    "oc-custom-text-quick-eos",
    32,
    {},
    dict(pool_type="eos", eos_id=V - 1),
    cls=CT,
    top=dict(custom_text=True),
    quick=True,
)
oc("oc-pool-eos", 32, {}, dict(pool_type="eos", eos_id=V - 1))
oc("oc-norm-eps", 32, dict(norm_kwargs={"eps": 1e-3}), dict(norm_kwargs={"eps": 1e-2}))
oc("oc-nonscalar-scale", 32, {}, {}, top=dict(nonscalar_logit_scale=True))
oc("oc-dataparallel", 32, {}, {}, prefix="module.", save="weights.pt")
oc("oc-compiled", 32, {}, {}, prefix="_orig_mod.", save="weights.pt")
oc(
    "oc-lightning",
    32,
    {},
    {},
    prefix="model.clip.",
    save="weights.ckpt",
    wrap=lambda sd, m: {
        "epoch": 1,
        "global_step": 4,
        "pytorch-lightning_version": "2.1",
        "state_dict": sd,
        "loops": {},
        "hparams_name": "kwargs",
    },
)


def train(sd, m):
    o = torch.optim.AdamW(m.parameters())
    for p in m.parameters():
        p.grad = torch.zeros_like(p)
    o.step()
    return {
        "epoch": 3,
        "name": "x",
        "state_dict": sd,
        "optimizer": o.state_dict(),
        "scaler": {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 0},
    }


oc("oc-training", 32, {}, {}, prefix="module.", save="epoch_3.pt", wrap=train)
oc("oc-legacy", 32, {}, {}, save="legacy", dt=h)
oc("oc-bf16-pt", 32, {}, {}, save="weights.pt", dt=b)
oc("oc-f64", 32, {}, {}, dt=torch.float64, expect="refused:F64")
oc("oc-one-head", 32, dict(head_width=24), dict(heads=1))
oc("oc-patches-dropped-in-training", 32, dict(patch_dropout=0.5), {})
oc(
    "shipped-openclip",
    16,
    dict(layers=1, width=16, norm_kwargs={"eps": 1e-3}),
    dict(width=12, pool_type="eos", eos_id=V - 1),
    embed=8,
    quick=True,
    cls=CT,
    top=dict(custom_text=True),
    dt=h,
    save="weights.pt",
    prefix="module.",
    wrap=lambda sd, m: {"epoch": 3, "name": "x", "state_dict": sd},
)
# ---- other nets
oc("oc-no-ln-pre", 32, dict(no_ln_pre=True), {}, expect="refused:no_ln_pre")
oc(
    "oc-no-ln-pre-bare",
    32,
    dict(no_ln_pre=True),
    {},
    expect="refused:how many heads",
    config=False,
    options="--activation gelu",
)
oc("oc-pool-avg", 32, dict(pool_type="avg"), {}, expect="refused:pool_type")
oc(
    "oc-final-ln-after-pool",
    32,
    dict(pool_type="avg", final_ln_after_pool=True),
    {},
    expect="refused:pool_type|final_ln_after_pool",
)
oc("oc-final-ln-after-pool-tok", 32, dict(final_ln_after_pool=True), {}, expect="refused:final_ln_after_pool")
oc("oc-text-last", 32, {}, dict(pool_type="last"), expect="refused:pool_type")
oc("oc-text-first", 32, {}, dict(pool_type="first"), expect="refused:pool_type")
oc("oc-text-eos-other", 32, {}, dict(pool_type="eos", eos_id=2), expect="refused:text.end 2")
oc("oc-layer-scale", 32, dict(ls_init_value=1e-1), {}, expect="refused:ls_init_value")
oc(
    "oc-attentional-pool",
    32,
    dict(attentional_pool=True, attn_pooler_heads=2),
    {},
    expect="refused:attentional_pool",
    embed=16,
)
oc("oc-no-causal", 32, {}, dict(no_causal_mask=True), expect="refused:no_causal_mask")
oc("oc-act-kwargs", 32, dict(act_kwargs={"approximate": "tanh"}), {}, expect="refused:act_kwargs")
oc("oc-sin-cos", 32, dict(pos_embed_type="sin_cos_2d"), {}, expect="refused:pos_embed_type")
oc("oc-qk-norm", 32, dict(qk_norm=True), {}, expect="refused:qk_norm")
oc("oc-scale-fc", 32, dict(scale_fc=True, block_type="custom"), {}, expect="refused:block_type|scale_fc")
oc("oc-scaled-cosine", 32, {}, dict(scaled_cosine_attn=True), expect="refused:scaled_cosine_attn")
oc("oc-block-custom", 32, dict(block_type="custom"), {}, expect="refused:block_type")
oc("oc-proj-bias", 32, {}, dict(proj_bias=True), expect="refused:proj_bias")
oc("oc-proj-none", 32, {}, dict(proj_type="none", width=16), expect="refused:proj_type")
oc("oc-embed-cls", 32, {}, dict(embed_cls=True), expect="refused:embed_cls", cls=CT, top=dict(custom_text=True))
oc(
    "oc-embed-cls-bare",
    32,
    {},
    dict(embed_cls=True),
    expect="refused:class token",
    cls=CT,
    config=False,
    options="--activation gelu",
)
oc("oc-logit-bias", 32, {}, {}, top=dict(init_logit_bias=-10.0), expect="refused:init_logit_bias|SigLIP")
oc("oc-clean", 32, {}, dict(tokenizer_kwargs={"clean": "canonicalize"}), expect="refused:tokenizer_kwargs")
oc("oc-hf-tokenizer", 32, {}, dict(hf_tokenizer_name="bert-base-uncased"), expect="refused:hf_tokenizer_name")
oc("oc-non-square", [32, 64], {}, {}, expect="refused:image_size [[32,64]]")
oc(
    "oc-non-square-patch",
    32,
    dict(patch_size=[8, 16], image_size=[32, 64]),
    {},
    expect="refused:patch_size",
    golden=False,
)
oc("oc-vocab-other", 32, {}, dict(vocab_size=600), expect="refused:519")


# ---- other families, by open_clip
def fam(name, expect, sd, cfg=None, bare=True):
    if ONLY and name not in ONLY or os.path.exists(os.path.join(OUT, name, "expect.txt")):
        return
    for suffix, c in ((("", cfg),) if cfg else ()) + ((("-bare", None),) if bare else ()):
        d = folder(name + suffix)
        save_file(
            {k: v.contiguous().clone() for k, v in sd.items()},
            d + "/open_clip_model.safetensors" if not (c and "model_type" in c) else d + "/model.safetensors",
        )
        if c:
            json.dump(c, open(d + ("/config.json" if "model_type" in c else "/open_clip_config.json"), "w"))
        else:
            open(d + "/options.txt", "w").write("--activation gelu")
        finish(d, expect)


def model(C=open_clip.model.CLIP, vision={}, text={}, **k):
    tc = dict(context_length=77, vocab_size=V, width=20, heads=2, layers=1)
    tc.update(text)
    return C(embed_dim=16, vision_cfg=vision, text_cfg=tc, **k), dict(embed_dim=16, vision_cfg=vision, text_cfg=tc, **k)


def guarded(f):
    try:
        f()
    except Exception as e:
        print("NOT MADE", f.__name__, repr(e)[:200])


def resnet():
    m, c = model(vision=dict(layers=[1, 1, 1, 1], width=8, image_size=64, head_width=8))
    fam("resnet", "refused:ResNet", m.state_dict(), c)


def siglip():
    m, c = model(
        CT,
        vision=dict(
            image_size=32,
            timm_model_name="vit_tiny_patch16_224",
            timm_model_pretrained=False,
            timm_pool="token",
            timm_proj="linear",
        ),
        init_logit_bias=-10.0,
    )
    fam("siglip-timm", "refused:SigLIP|timm", m.state_dict(), c)


def timm():
    m, c = model(
        vision=dict(
            image_size=32,
            timm_model_name="vit_tiny_patch16_224",
            timm_model_pretrained=False,
            timm_pool="token",
            timm_proj="linear",
        )
    )
    fam("timm-vit", "refused:timm", m.state_dict(), c)


def eva():
    m, c = model(
        CT,
        vision=dict(
            image_size=28,
            timm_model_name="eva02_tiny_patch14_224",
            timm_model_pretrained=False,
            timm_pool="token",
            timm_proj=None,
        ),
    )
    fam("eva02", "refused:timm", m.state_dict(), c)
    sd = {k.replace("visual.trunk.", "visual."): v for k, v in m.state_dict().items()}
    fam("eva-own-names", "refused:EVA", sd)


def coca():
    c = dict(
        embed_dim=16,
        vision_cfg=dict(
            image_size=32,
            layers=1,
            width=16,
            head_width=8,
            patch_size=8,
            attentional_pool=True,
            attn_pooler_heads=2,
            output_tokens=True,
        ),
        text_cfg=dict(context_length=20, vocab_size=V, width=16, heads=2, layers=1, embed_cls=True, output_tokens=True),
        multimodal_cfg=dict(context_length=20, vocab_size=V, width=16, heads=2, layers=1, attn_pooler_heads=2),
    )
    m = open_clip.CoCa(**c)
    fam("coca", "refused:CoCa", m.state_dict(), c)


def hftext():
    from open_clip.hf_model import HFTextEncoder

    r = transformers.RobertaModel(
        transformers.RobertaConfig(
            vocab_size=99, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        )
    )
    m, _ = model()
    sd = {k: v for k, v in m.state_dict().items() if k.startswith("visual.") or k == "logit_scale"}
    sd.update({"text.transformer." + k: v for k, v in r.state_dict().items()})
    sd["text.proj.weight"] = torch.randn(16, 16)
    fam(
        "hf-text",
        "refused:another library",
        sd,
        dict(
            embed_dim=16, vision_cfg={}, text_cfg=dict(hf_model_name="roberta-base", hf_tokenizer_name="roberta-base")
        ),
    )


T = transformers


def hfm(name, m, expect):
    c = m.config.to_dict()
    c = {k: v for k, v in c.items()}
    fam(name, expect, {k: v for k, v in m.state_dict().items()}, json.loads(m.config.to_json_string(use_diff=False)))


small_t = dict(vocab_size=V, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
small_v = dict(
    hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
)


def hfsiglip():
    hfm(
        "hf-siglip",
        T.SiglipModel(T.SiglipConfig(text_config=dict(small_t, max_position_embeddings=16), vision_config=small_v)),
        "refused:iglip|SigLIP",
    )


def hfsiglip2():
    hfm(
        "hf-siglip2",
        T.Siglip2Model(
            T.Siglip2Config(
                text_config=dict(small_t, max_position_embeddings=16),
                vision_config=dict(
                    hidden_size=16,
                    intermediate_size=32,
                    num_hidden_layers=1,
                    num_attention_heads=2,
                    num_patches=16,
                    patch_size=8,
                ),
            )
        ),
        "refused:iglip|SigLIP",
    )


def hfchinese():
    hfm(
        "hf-chinese",
        T.ChineseCLIPModel(T.ChineseCLIPConfig(text_config=small_t, vision_config=small_v, projection_dim=16)),
        "refused:chinese_clip|Chinese",
    )


def hfalign():
    hfm(
        "hf-align",
        T.AlignModel(
            T.AlignConfig(
                text_config=small_t,
                vision_config=dict(
                    image_size=32,
                    depth_divisor=8,
                    width_coefficient=0.1,
                    depth_coefficient=0.1,
                    num_block_repeats=[1],
                    in_channels=[32],
                    out_channels=[16],
                    strides=[1],
                    kernel_sizes=[3],
                    expand_ratios=[1],
                    num_hidden_layers=1,
                    hidden_dim=16,
                ),
                projection_dim=16,
            )
        ),
        "refused:align|ALIGN",
    )


def hfaltclip():
    hfm(
        "hf-altclip",
        T.AltCLIPModel(
            T.AltCLIPConfig(text_config=dict(small_t, project_dim=16), vision_config=small_v, projection_dim=16)
        ),
        "refused:altclip|BERT",
    )


def hfvision():
    hfm(
        "hf-vision-only",
        T.CLIPVisionModelWithProjection(T.CLIPVisionConfig(**small_v, projection_dim=16)),
        "refused:clip_vision_model|missing|how many heads",
    )


def hftextonly():
    hfm(
        "hf-text-only",
        T.CLIPTextModelWithProjection(T.CLIPTextConfig(**small_t, projection_dim=16)),
        "refused:clip_text_model|lacks",
    )


def clipseg():
    hfm(
        "hf-clipseg",
        T.CLIPSegForImageSegmentation(
            T.CLIPSegConfig(
                text_config=small_t,
                vision_config=dict(small_v, num_hidden_layers=3),
                projection_dim=16,
                extract_layers=[0, 1, 2],
                reduce_dim=8,
                decoder_num_attention_heads=2,
                decoder_intermediate_size=16,
            )
        ),
        "refused:clipseg|unknown",
    )


def owl():
    hfm(
        "hf-owlvit",
        T.OwlViTModel(
            T.OwlViTConfig(
                text_config=dict(small_t, max_position_embeddings=16), vision_config=small_v, projection_dim=16
            )
        ),
        "refused:owlvit|is missing|unknown",
    )


def blip():
    hfm(
        "hf-blip",
        T.BlipModel(
            T.BlipConfig(text_config=dict(small_t, encoder_hidden_size=16), vision_config=small_v, projection_dim=16)
        ),
        "refused:blip|lacks",
    )


def dual():
    cfg = T.VisionTextDualEncoderConfig.from_vision_text_configs(
        T.CLIPVisionConfig(**small_v),
        T.BertConfig(vocab_size=99, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32),
        projection_dim=16,
    )
    hfm("hf-dual", T.VisionTextDualEncoderModel(cfg), "refused:vision-text-dual-encoder|BERT")


def longclip():
    m, c = model(
        vision=dict(image_size=32, layers=1, width=16, head_width=8, patch_size=8), text=dict(context_length=248)
    )
    sd = dict(m.state_dict())
    sd["positional_embedding_res"] = sd["positional_embedding"].clone()
    fam("long-clip", "refused:Long-CLIP", sd, c)


def georsclip():
    m, _ = model(vision=dict(image_size=32, layers=1, width=16, head_width=8, patch_size=8))
    sd = {}
    for k, v in m.state_dict().items():
        sd[
            (
                k.replace("visual.", "image_backbone.")
                if k.startswith("visual.")
                else ("text_backbone." + k if k != "logit_scale" else k)
            )
        ] = v
    fam("georsclip-unconverted", "refused:GeoRSCLIP", sd)


for f in (
    resnet,
    siglip,
    timm,
    eva,
    coca,
    hftext,
    hfsiglip,
    hfsiglip2,
    hfchinese,
    hfalign,
    hfaltclip,
    hfvision,
    hftextonly,
    clipseg,
    owl,
    blip,
    dual,
    longclip,
    georsclip,
):
    guarded(f)
# ---- Hugging Face
hf("hf-quick", {}, {})
hf("hf-gelu-eos2", dict(hidden_act="gelu"), dict(hidden_act="gelu", eos_token_id=2))
hf("hf-mixed-activations", dict(hidden_act="gelu"), dict(hidden_act="quick_gelu"))
hf(
    "hf-proj-other",
    dict(hidden_size=40, num_attention_heads=5),
    dict(hidden_size=28, num_attention_heads=7),
    proj=12,
    dt=h,
)
hf("hf-bf16", {}, {}, dt=b)
hf("hf-p14-224-c52", dict(patch_size=14, image_size=224), dict(max_position_embeddings=52), dt=h)
hf("hf-sharded", {}, {}, shard="20KB")
hf("hf-bin", {}, {}, bin=True)
hf("hf-eps", dict(layer_norm_eps=1e-3), dict(layer_norm_eps=1e-2))
hf("hf-eos-other", {}, dict(eos_token_id=5), expect="refused:text.end 5")
hf("hf-gelu-new", dict(hidden_act="gelu_new"), {}, expect="refused:gelu_new")


def olddict(j):
    j["text_config_dict"] = dict(j["text_config"])
    j["text_config"]["hidden_act"] = "gelu"


def olddict2(j):
    j["text_config_dict"] = dict(j["text_config"])
    j["text_config"]["hidden_act"] = "gelu"


hf("hf-config-dict", {}, {}, edit=olddict)
hf("hf-no-text-config", {}, {}, edit=lambda j: j.pop("text_config"), expect="refused:text.width 512, its tensors 20")
hf(
    "hf-no-vision-config",
    {},
    {},
    edit=lambda j: j.pop("vision_config"),
    expect="refused:image.width 768, its tensors 24",
)
hf(
    "hf-config-contradicts",
    {},
    {},
    edit=lambda j: j["vision_config"].update(image_size=64),
    expect="refused:image.side 64, its tensors 32",
)
hf("hf-heads-contradict", {}, {}, edit=lambda j: j["vision_config"].update(num_attention_heads=7), expect="refused:7")
hf(
    "shipped-huggingface",
    dict(
        num_hidden_layers=1,
        hidden_size=16,
        intermediate_size=40,
        num_attention_heads=2,
        image_size=16,
        hidden_act="gelu",
        layer_norm_eps=1e-3,
    ),
    dict(hidden_size=12, intermediate_size=30, max_position_embeddings=52, eos_token_id=2),
    proj=8,
    dt=h,
    shard="20KB",
    edit=olddict2,
)
