#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""contracts.py - a header tells all that its reader must know

- every function that a header declares has a kernel-doc block, "/** name() - purpose", directly
  above it. A block may cover the declarations that follow without a blank line, if it names them
  or they are the counterpart of the first (new and free, ref and unref). An inline function of a
  few lines is its own contract;
- a block lists only parameters that exist, and one that lists parameters says what is returned,
  unless that is a type of ours with its own comments, or success with a GError;
- every field of a struct has a comment, behind it or above it. It needs none if its type is one of
  our own, held by value, if it is one of the few names that say it all, or if it is a column of a
  table that stands right there.
"""
import re

from tree import Tree, Verdict, arguments, declarations, function_name, line_of, parameters
from tree import structure, PRODUCT

STRUCT = re.compile(r"\b(?:struct|union)\b[^;{}()=]*\{")
OWN_VALUE = r"(?:const )?[A-Z][A-Z0-9]*[a-z]\w*"
OWN_FIELD = re.compile(r"^%s \w+(\[\w+\])?$" % OWN_VALUE)
PLAIN_FIELDS = {
    "gpointer user",     # what a callback is handed
    "const char *name",  # what the thing is called, borrowed
    "size_t n",          # rows of the array beside it
}
COUNTERPARTS = (("_new", "_free"), ("_new", "_ref"), ("_new", "_unref"), ("_ref", "_unref"),
                ("_init", "_done"), ("_open", "_close"))
# Lines from the return type to the closing brace, up to which code says more than a comment.
SHORT_INLINE = 6


def comment_above(text, position):
    """The comment that stands alone on the lines right above a position; None without one."""
    head = text[:position].rstrip()
    if not head.endswith("*/") or text[len(head):position].count("\n") != 1:
        return None
    start = head.rindex("/*")
    return head[start:] if head[head.rfind("\n", 0, start) + 1:start].strip() == "" else None


def title_names(block):
    """Functions that a block is about: what stands before the dash."""
    title = re.match(r"/\*\*\s*(?:\*\s)?(.*?)\s-\s", block, re.S)
    return re.findall(r"(\w+)\(\)", title.group(1)) if title else []


def is_covered(name, block):
    """Whether a block that another function has is good for this one as well."""
    for first, second in COUNTERPARTS:
        if any(n.endswith(first) and name == n[:-len(first)] + second for n in title_names(block)):
            return True
    return "%s()" % name in block


def check_block(verdict, path, line, declaration, name, block):
    given = parameters(declaration, name)
    known = {w for p in given for w in re.findall(r"\w+", p)}
    listed = []
    for row in re.findall(r"^[ \t*]*((?:@\w+(?:, )?)+):", block, re.M):
        listed += re.findall(r"@(\w+)", row)
    for word in listed:
        if word not in known:
            verdict.problem(path, line, "%s(): @%s is not a parameter" % (name, word))
    kind = " ".join(declaration.text[:declaration.text.index(name)].split())
    kind = re.sub(r"\b(static|inline|extern) |\bG_GNUC_\w+(\([^)]*\))? ?", "", kind + " ").strip()
    says_itself = kind == "void" or re.fullmatch(OWN_VALUE, kind) or \
        (kind in ("bool", "gboolean") and any("GError **" in p for p in given))
    if listed and not says_itself and not re.search(r"\breturns?\b", block, re.I):
        verdict.problem(path, line, "%s(): what does it return?" % name)


def check_functions(verdict, path, text, code):
    block, end = None, -1
    for declaration in declarations(code):
        name = function_name(declaration)
        if not name:
            continue
        verdict.looked("functions")
        line = line_of(text, declaration.start)
        above = comment_above(text, declaration.start)
        # In a run, nothing but a line end stands between two declarations.
        between = text[end:declaration.start] if end >= 0 else "none"
        in_run = not above and between.strip() == "" and between.count("\n") == 1
        if not in_run:
            block = above if above and above.startswith("/**") else None
        end = declaration.end
        if declaration.body >= 0 and declaration.text.count("\n") < SHORT_INLINE and not block:
            continue
        if block is None:
            verdict.problem(path, line, "%s(): no contract" % name)
        elif name in title_names(block):
            check_block(verdict, path, line, declaration, name, block)
        elif not in_run or not is_covered(name, block):
            verdict.problem(path, line, "%s(): the contract above is not about it" % name)


def closing_brace(code, opening):
    depth = 0
    for position in range(opening, len(code)):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth == 0:
            return position
    return len(code)


def check_fields(verdict, path, text, code, start, end):
    """Fields between two braces; an inner struct is looked at by its own match."""
    position = start
    while position < end:
        stop = code.find(";", position, end)
        brace = code.find("{", position, stop if stop >= 0 else end)
        if brace >= 0:
            stop = code.find(";", closing_brace(code, brace), end)
        if stop < 0:
            return
        first = position + len(code[position:stop]) - len(code[position:stop].lstrip())
        field = " ".join(code[first:stop].split())
        verdict.looked("fields")
        line_end = text.find("\n", stop)
        behind = text[stop + 1:line_end].lstrip().startswith("/*")
        if not behind and not comment_above(text, first) and field not in PLAIN_FIELDS and \
                not OWN_FIELD.match(field):
            verdict.problem(path, line_of(text, first), "field without a comment: %s" % field)
        position = stop + 1


def is_table(code, match, end):
    """Whether rows follow, or it stands inside a function, where it is explained by its use."""
    depth = code.count("{", 0, match.start()) - code.count("}", 0, match.start())
    return depth > 0 or re.match(r"\}\s*(const )?\w+\[\w*\]\s*=", code[end:end + 200])


def check_structs(verdict, path, text, code):
    for match in STRUCT.finditer(code):
        end = closing_brace(code, match.end() - 1)
        if path.endswith(".c") and is_table(code, match, end):
            continue
        verdict.looked("structs")
        check_fields(verdict, path, text, code, match.end(), end)


def main():
    args = arguments(__doc__)
    tree, verdict = Tree(args.root), Verdict("contracts")
    for what in ("headers", "functions", "structs", "fields"):
        verdict.looked(what, 0)
    for path in tree.files(".h", under=PRODUCT + ("test/",)):
        text = tree.read(path)
        verdict.looked("headers")
        code = structure(text)
        check_functions(verdict, path, text, code)
        check_structs(verdict, path, text, code)
    for path in tree.files(".c", under=PRODUCT):
        text = tree.read(path)
        check_structs(verdict, path, text, structure(text))
    verdict.finish()


if __name__ == "__main__":
    main()
