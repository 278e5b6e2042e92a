"""Asks the process of `serving.py` for a command, and ends as the command ends: `asking.py SOCKET ARGUMENTS`.

It is begun for every command, and imports what Python has built in.
"""

import _signal
import _socket
import marshal
import os
import sys

streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
server.connect(sys.argv[1])
request = marshal.dumps((sys.argv[2:], os.getcwd(), dict(os.environ)))
server.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
answer = server.recv(64)
code = marshal.loads(answer) if answer else 70
if code < 0:  # a signal ended it
    if -code not in (_signal.SIGKILL, _signal.SIGSTOP):
        _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
sys.exit(code)
