"""Reduce the loops of a graph to what they need, in an order that follows from the graph's structure only.

tf2onnx carries all weights of a loop's body through it as states, which ONNX Runtime copies in each step, and orders
the states differently in each process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx
from onnx import AttributeProto

# Inputs of a Loop and of its body before the states, and outputs of the body before them.
_BEFORE, _CONDITION = 2, 1


def inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs that a node runs: the body of a Loop or Scan, the branches of an If."""
    return [attribute.g for attribute in node.attribute if attribute.type == AttributeProto.GRAPH]


def all_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and all graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from all_graphs(inner)


class Walk:
    """A walk from the outputs of a graph to what they need. All orders follow from those of outputs and inputs.

    nodes: those that are needed, each after those that it needs. outside: the values from outside the graph. values:
    all values in the order in which the walk finds them.
    """

    def __init__(self, graph: onnx.GraphProto, outputs: list[str] | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.outside: list[str] = []
        self.values: dict[str, None] = {}
        producers = {name: node for node in graph.node for name in node.output if name}
        inside = producers.keys() | {x.name for x in graph.input} | {x.name for x in graph.initializer}
        done: set[int] = set()
        first = [x.name for x in graph.output] if outputs is None else outputs
        waiting = [(name, False) for name in reversed(first)]
        while waiting:
            name, ready = waiting.pop()
            if name:
                self.values[name] = None
            node = producers.get(name)
            if node is None or id(node) in done:
                continue
            if ready:
                done.add(id(node))
                self.nodes.append(node)
            else:
                waiting.append((name, True))
                needs = [*node.input, *(x for inner in inner_graphs(node) for x in Walk(inner).outside)]
                waiting += [(each, False) for each in reversed(needs)]
        self.outside = [name for name in self.values if name not in inside]


def reduce(graph: onnx.GraphProto) -> None:
    """Reduce all loops of a graph without Identity nodes, in place.

    Those nearest to the outputs come first, because they use the results of the others.
    """
    done: set[str] = set()
    while True:
        walk = Walk(graph)
        waiting = [node for node in walk.nodes if node.op_type == "Loop" and node.output[0] not in done]
        if not waiting:
            break
        loop = waiting[-1]
        _hoist(graph, loop)
        _sort(loop, list(Walk(graph).values))
        done.add(loop.output[0])
    for node in walk.nodes:
        for inner in inner_graphs(node):
            reduce(inner)


def _hoist(graph: onnx.GraphProto, loop: onnx.NodeProto) -> None:
    """Take the states that no step changes from outside the loop."""
    (body,) = inner_graphs(loop)
    same: dict[str, str] = {}
    kept = []
    for i, given in enumerate(body.input[_BEFORE:]):
        if body.output[_CONDITION + i].name == given.name:
            same[given.name] = loop.input[_BEFORE + i]
            substitute(graph, {loop.output[i]: loop.input[_BEFORE + i]})
        else:
            kept.append(i)
    _keep(loop, kept, len(body.input) - _BEFORE)
    substitute(body, same)


def _sort(loop: onnx.NodeProto, used: list[str]) -> None:
    """Keep the states and results that are used, in the order in which they are found. used: values outside it."""
    (body,) = inner_graphs(loop)
    states = {x.name: i for i, x in enumerate(body.input[_BEFORE:])}
    ends = [x.name for x in body.output[_CONDITION:]]
    outputs = list(loop.output)
    wanted = dict.fromkeys(outputs.index(name) for name in used if name in outputs)
    before = -1
    while before != len(wanted):
        before = len(wanted)
        found = Walk(body, [body.output[0].name, *(ends[i] for i in wanted)]).values
        wanted |= dict.fromkeys(states[name] for name in found if name in states)
    order = [i for i in wanted if i < len(states)] + [i for i in wanted if i >= len(states)]
    _keep(loop, [i for i in order if i < len(states)], len(states), [i for i in order if i >= len(states)])


def _keep(loop: onnx.NodeProto, states: list[int], count: int, scans: list[int] | None = None) -> None:
    """Keep these of `count` states and these of the results that are collected over the steps, or all of those."""
    (body,) = inner_graphs(loop)
    results = [*states, *(range(count, len(loop.output)) if scans is None else scans)]
    loop.input[:] = [*loop.input[:_BEFORE], *(loop.input[_BEFORE + i] for i in states)]
    loop.output[:] = [loop.output[i] for i in results]
    inputs = [*body.input[:_BEFORE], *(body.input[_BEFORE + i] for i in states)]
    outputs = [body.output[0], *(body.output[_CONDITION + i] for i in results)]
    for field, values in ((body.input, inputs), (body.output, outputs)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)


def substitute(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Replace values by others wherever they are used, also inside loops and as outputs."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for inner in inner_graphs(node):
            substitute(inner, names)
    for value in graph.output:
        value.name = names.get(value.name, value.name)
