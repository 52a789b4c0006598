"""Asks one question through each SDK and route, and prints text and usage of each answer.

usage: sdk_clients.py URL KEY MODEL

Ends with 1 when an answer has no text or no usage, or when a bad key is not refused as the SDK
expects.
"""

import sys

import anthropic
import openai

QUESTION = "What is the capital of France?"
LENGTH = 16


def show(name, text, usage):
    print(f"{name:34} {text.strip()[:60]!r:64} {usage}")
    # A base model may answer with white space; it must have produced something.
    if not text or not all(count > 0 for count in usage):
        raise SystemExit(f"{name}: no text or no usage")


def openai_routes(url, key, model):
    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key)
    print("models", [m.id for m in client.models.list()])
    messages = [{"role": "user", "content": QUESTION}]
    ask = dict(model=model, messages=messages, max_tokens=LENGTH, temperature=0)

    answer = client.chat.completions.create(**ask)
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    show("openai chat", answer.choices[0].message.content, usage)

    text, usage = "", None
    for chunk in client.chat.completions.create(
        **ask, stream=True, stream_options={"include_usage": True}
    ):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        usage = chunk.usage or usage
    show("openai chat, streaming", text, (usage.prompt_tokens, usage.completion_tokens))

    text = ""
    for chunk in client.chat.completions.create(**ask, stream=True):
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        assert chunk.usage is None, "usage that nobody asked for"
    show("openai chat, usage not asked for", text, (1,))

    answer = client.completions.create(
        model=model, prompt=f"Question: {QUESTION}\nAnswer:", max_tokens=LENGTH, temperature=0
    )
    usage = (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    show("openai completions", answer.choices[0].text, usage)

    ask = dict(model=model, input=QUESTION, max_output_tokens=LENGTH, temperature=0)
    answer = client.responses.create(**ask)
    usage = (answer.usage.input_tokens, answer.usage.output_tokens)
    show("openai responses", answer.output_text, usage)

    text, usage = "", None
    for event in client.responses.create(**ask, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        if event.type == "response.completed":
            usage = (event.response.usage.input_tokens, event.response.usage.output_tokens)
    show("openai responses, streaming", text, usage)


def anthropic_routes(url, key, model):
    client = anthropic.Anthropic(base_url=url, api_key=key)
    messages = [{"role": "user", "content": QUESTION}]
    ask = dict(model=model, messages=messages, max_tokens=LENGTH)

    answer = client.messages.create(**ask)
    usage = (answer.usage.input_tokens, answer.usage.output_tokens)
    show("anthropic messages", answer.content[0].text, usage)

    with client.messages.stream(**ask) as stream:
        text = "".join(stream.text_stream)
        usage = stream.get_final_message().usage
    show("anthropic messages, streaming", text, (usage.input_tokens, usage.output_tokens))

    count = client.messages.count_tokens(model=model, messages=messages)
    show("anthropic count_tokens", "-", (count.input_tokens,))


def refusals(url, key, model):
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    messages = [{"role": "user", "content": QUESTION}]
    try:
        openai.OpenAI(base_url=f"{url}/v1", api_key=wrong, max_retries=0).models.list()
        raise SystemExit("openai: a wrong key was taken")
    except openai.AuthenticationError as error:
        print("openai, wrong key:", error.message[:100])
    try:
        anthropic.Anthropic(base_url=url, api_key=wrong, max_retries=0).messages.create(
            model=model, messages=messages, max_tokens=1
        )
        raise SystemExit("anthropic: a wrong key was taken")
    except anthropic.AuthenticationError as error:
        print("anthropic, wrong key:", error.message[:100])
    try:
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0).chat.completions.create(
            model="no-such-model", messages=messages
        )
        raise SystemExit("openai: an unknown model was taken")
    except openai.NotFoundError as error:
        print("openai, unknown model:", error.message[:100])


if __name__ == "__main__":
    print("openai", openai.__version__, "anthropic", anthropic.__version__)
    for routes in (openai_routes, anthropic_routes, refusals):
        routes(*sys.argv[1:4])
    print("all answered")
