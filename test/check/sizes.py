#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""sizes.py - nothing is larger than a reader can hold

Files, functions, their parameters and the depth of their blocks. Aim for less than these limits:
a function is best at 15 lines, a file at 200. A function is measured from its return type to its
closing brace, less its constant tables, which are looked up and not followed; "if", "for", "while",
"do" and "switch" count one level each, braces or not, and "else if" is the level of its "if".
"""
import re

from tree import Tree, Verdict, arguments, declarations, function_name, line_of, parameters
from tree import structure

FILE_LINES = 500
FUNCTION_LINES = 60
NESTING = 4
PARAMETERS = 6

# Functions whose parameters somebody else has chosen.
CALLBACKS = {
    "answer_request": "MHD_AccessHandlerCallback",
    "on_header": "nghttp2_on_header_callback",
    "read_queue": "nghttp2_data_source_read_callback",
    "read_body": "nghttp2_data_source_read_callback",
    "start_element": "startElementNsSAX2Func of libxml2",
}

TABLE = re.compile(r"^ +(?:static )?const [^;{}]*(?:\{[^{}]*\}[^;{}]*)?= \{.*?^    \};$",
                   re.M | re.S)
TOKEN = re.compile(r"\b(?:if|else|for|while|do|switch)\b|[{}();]")


def nesting(body):
    """Deepest level of control statements within a function's body, braces included.

    A stack holds what is open: "block" for braces, "statement" for a control statement, which ends
    with its block or with the semicolon of the one statement that it governs.
    """
    stack, deepest, parentheses, tokens = [], 0, 0, TOKEN.findall(body)
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else ""
        if token in "()":
            parentheses += 1 if token == "(" else -1
        elif parentheses > 0:
            continue
        elif token == "{":
            stack.append("block")
        elif token == "}":
            while stack and stack.pop() != "block":
                pass
            _end_statement(stack, following)
        elif token == ";":
            _end_statement(stack, following)
        elif token == "else" and following == "if":
            continue
        elif token == "while" and stack and stack[-1] == "do-done":
            stack.pop()  # of do { } while: no level of its own
        else:
            stack.append(token)
            deepest = max(deepest, sum(s not in ("block", "do-done") for s in stack))
    return deepest


def _end_statement(stack, following):
    """The statement that has just ended ends those that consist of it."""
    while stack and stack[-1] != "block":
        statement = stack.pop()
        if statement == "do":
            stack.append("do-done")
            return
        if statement == "if" and following == "else":
            return


def length(text):
    """Lines of a function, without those of its tables."""
    return text.count("\n") + 1 - sum(t.count("\n") + 1 for t in TABLE.findall(text))


def check_functions(verdict, path, text):
    code = structure(text)
    for declaration in declarations(code):
        name = function_name(declaration)
        if not name or declaration.body < 0:
            continue
        verdict.looked("functions")
        line = line_of(code, declaration.start)
        lines = length(declaration.text)
        if lines > FUNCTION_LINES:
            verdict.problem(path, line, "%s(): %d lines, at most %d" % (name, lines,
                                                                       FUNCTION_LINES))
        depth = nesting(code[declaration.body:declaration.end])
        if depth > NESTING:
            verdict.problem(path, line, "%s(): nested %d deep, at most %d" % (name, depth, NESTING))
        number = len(parameters(declaration, name))
        if number > PARAMETERS and name not in CALLBACKS:
            verdict.problem(path, line, "%s(): %d parameters, at most %d" % (name, number,
                                                                            PARAMETERS))


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("sizes")
    sources = tree.files(".c", ".h")
    files = sources + tree.scripts(("python3",), ".py") + tree.shell_scripts()
    verdict.looked("files", len(files))
    verdict.looked("functions", 0)
    for path in files:
        text = tree.read(path)
        lines = text.count("\n")
        if lines > FILE_LINES:
            verdict.problem(path, 1, "%d lines, at most %d" % (lines, FILE_LINES))
        if path in sources:
            check_functions(verdict, path, text)
    verdict.finish()


if __name__ == "__main__":
    main()
