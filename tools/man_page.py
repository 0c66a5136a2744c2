#!/usr/bin/env python3
"""Writes docs/man/reeve.1 from what the program says of itself: every verb, its flags and examples.

    tools/man_page.py build/release/reeve > docs/man/reeve.1
"""
import re
import subprocess
import sys


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def roff(text):
    """One line of text, with what roff would read as its own escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


HEAD = r'''.TH REEVE 1 "" "{version}" "User commands"
.SH NAME
reeve \- share the GPUs of a team: queue, scheduler and agent
.SH SYNOPSIS
.B reeve
.I verb
.RI [ target ...]
.RI [ flags ]
.RB [ \-\-
.IR command ...]
.SH DESCRIPTION
.B reeve
queues GPU jobs, grants each the GPUs that it asked for, starts it on exactly those, follows it, and records how it ended.
.B reeve up
runs the server and the agent of this machine; every other verb talks to a server, on this machine through a Unix socket.
.PP
On a terminal
.B reeve run
follows the job and ends as it does. Where standard input or output is no terminal it prints the id of the job and returns;
.B \-\-attach
follows there too, an array until all of its elements have ended.
'''

TAIL = r'''.SH ENVIRONMENT
.TP
.B REEVE_SERVER
unix:/path/reeve.sock or http://host:port, in place of \-\-server.
.TP
.B REEVE_TOKEN
A token of
.BR "reeve server token" ,
sent to the server with every call; nothing shows it.
.TP
.B REEVE_TOKEN_FILE
A file that has it, in place of \-\-token\-file.
.TP
.B REEVE_PROJECT
The project, in place of \-\-project.
.TP
.B XDG_STATE_HOME
The state is in its folder reeve.
.SH FILES
.TP
.I $XDG_STATE_HOME/reeve
State of a server that a user runs; ~/.local/state/reeve where that is not set.
.TP
.I /var/lib/reeve
State of the service.
.TP
.I reeve.sock
In the state folder: where commands on the same machine talk to the server.
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage, 3 not signed in, 4 not allowed, 5 not found, 6 wrong state, 7 refused by policy or quota, 8 the server
cannot be reached, 9 can never be scheduled.
.B run
and
.B wait
give the job's own, 128 and the signal's number if one ended it, also at its time limit (143, or 137 after its grace; 1 if it ends by
itself then).
'''


def main():
    program = sys.argv[1]
    print(HEAD.format(version=roff(said(program, "version").strip())), end="")
    rows = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +(\S.*)$", said(program, "--help").split("Verbs:")[1], re.MULTILINE)
    print(".SH VERBS")
    for verb, summary in rows:
        print(f".SS {roff(verb)}\n{roff(summary)}")
        print(".PP\n.nf")
        for line in said(program, *verb.split(), "--help").split("\nGlobal:")[0].strip().splitlines():
            print(roff(line))
        print(".fi")
    print(".SH GLOBAL FLAGS\nEvery verb that talks to a server has these, before its name or behind it.\n.PP\n.nf")
    for line in said(program, "nodes", "--help").split("\nGlobal:\n")[1].rstrip().splitlines():
        print(roff(line))
    print(".fi")
    print(TAIL, end="")


if __name__ == "__main__":
    main()
