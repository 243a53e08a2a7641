"""Programs that are wrong, and try to pass all the same.

Each follows the prompt of `add` in `test_sandbox`. Ten of them passed when the tests ran in the
program's own process.
"""

ANSWERS = {
    "an object that equals everything": """
class Same:
    __eq__ = lambda *_: True
add = lambda a, b: Same()
""",
    "a number that equals everything": """
class Same(int):
    __eq__ = lambda *_: True
    __hash__ = None
add = lambda a, b: Same()
""",
    "a text that equals everything": """
class Same(str):
    __eq__ = lambda *_: True
add = lambda a, b: Same('x')
""",
    "a list that equals everything": """
class Same(list):
    __eq__ = lambda *_: True
add = lambda a, b: Same()
""",
    "a dictionary that lies about its items": """
class Same(dict):
    __eq__ = lambda *_: True
    items = lambda self: [(3, 7)]
add = lambda a, b: Same()
""",
    "a function": "add = lambda a, b: (lambda: 3)\n",
    "a generator": "add = lambda a, b: (x for x in [3])\n",
    "a list in itself": """
def add(a, b):
    found = []
    found.append(found)
    return found
""",
    "more than fits": "add = lambda a, b: list(range(10_000_000))\n",
    "a text of 100 MB": "add = lambda a, b: 'x' * 100_000_000\n",
    "keys that all have one hash": "add = lambda a, b: {k * (2**61 - 1): 1 for k in range(150_000)}\n",
}
"""What a wrong function may answer."""

TRICKS = {
    "compile makes tests that test nothing": """
import builtins
real = compile
builtins.compile = lambda *a, **k: real('def check(c): pass', 't', 'exec')
""",
    "exec runs nothing": """
import builtins
builtins.exec = lambda code, names: names.update(check=lambda c: None)
""",
    "json reports a success": """
import json
real = json.dumps
json.dumps = lambda r, **k: real({**r, 'passed': True, 'error': ''} if isinstance(r, dict) else r, **k)
""",
    "the judge's frame gives its word and its pipe": """
import sys, os, json
frame = sys._getframe()
while frame:
    here = frame.f_locals
    if 'report_to' in here:
        reported = {'word': here['word'], 'passed': True, 'error': '', 'network': 'namespace'}
        os.write(here['report_to'], json.dumps(reported).encode() + b'\\n')
        os._exit(0)
    frame = frame.f_back
""",
    "the judge's globals and builtins are changed": """
import sys
frame = sys._getframe()
while frame.f_back:
    frame = frame.f_back
frame.f_globals['check'] = lambda *_: None
frame.f_builtins['exec'] = lambda code, names: names.update(check=lambda c: None)
""",
    "the tests are taken out of the namespace": """
import builtins
real = exec
def run(code, names):
    real(code, names)
    names['check'] = lambda c: None
builtins.exec = run
""",
    "the code of the tests is changed": """
import sys
class Same:
    __eq__ = lambda *_: True
def add(a, b):
    sys._getframe(1).f_globals['check'].__code__ = (lambda c: None).__code__
    return Same()
""",
    "the expected value is read from the caller's code": """
import sys
def add(a, b):
    return [c for c in sys._getframe(1).f_code.co_consts if isinstance(c, int)][-1]
""",
    "the expected value is looked for in memory": """
import gc
def add(a, b):
    for thing in gc.get_objects():
        if isinstance(thing, dict) and 'test' in thing:
            return int(str(thing['test']).rpartition('== ')[2])
""",
    "a trace function steps over the tests": """
import sys
def step(frame, event, arg):
    if frame.f_code.co_name == 'check':
        frame.f_trace_lines = False
        return lambda *_: None
sys.settrace(step)
""",
    "builtins of the tests are replaced": """
import builtins
for name in ('abs', 'round', 'len', 'sorted', 'all', 'AssertionError', 'isinstance'):
    setattr(builtins, name, lambda *_, **__: 0)
""",
    "a verdict is written into every pipe": """
import os, json
def add(a, b):
    for reported in ({'error': '', 'held': 'x'}, {'passed': True, 'error': ''}, {'held': 'x'}):
        text = json.dumps(reported).encode()
        for handle in range(3, 64):
            for message in (text + b'\\n', len(text).to_bytes(4, 'big') + text):
                try:
                    os.write(handle, message)
                except OSError:
                    pass
    os._exit(0)
""",
    "answers are written in advance": """
import os
for handle in range(3, 64):
    try:
        os.write(handle, b'\\0\\0\\0\\2v4' * 100)
    except OSError:
        pass
""",
    "the process ends well": "import os\ndef add(a, b): os._exit(0)\n",
    "the interpreter ends well": "import sys\ndef add(a, b): sys.exit(0)\n",
    "the program ends while it is loaded": "raise SystemExit(0)\n",
    "atexit ends the process well": "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit(0)\n",
    "a thread outlives the function": """
import threading, os, time
threading.Thread(target=lambda: (time.sleep(.1), os._exit(0))).start()
def add(a, b): time.sleep(.5)
""",
    "a child process outlives the function": """
import os, time
if os.fork() == 0:
    time.sleep(60)
def add(a, b): return 3
""",
    "the judge is killed": "import os, signal\ndef add(a, b): os.kill(os.getppid(), signal.SIGKILL)\n",
    "everything is killed": "import os, signal\ndef add(a, b): os.kill(-1, signal.SIGKILL)\n",
    "the process kills itself": "import os, signal\ndef add(a, b): os.kill(os.getpid(), signal.SIGKILL)\n",
    "the memory of the judge is written": """
import os
def add(a, b):
    with open(f'/proc/{os.getppid()}/mem', 'r+b') as memory:
        memory.seek(0)
""",
    "a system call is made by hand": """
import ctypes
def add(a, b):
    return ctypes.CDLL(None).fork()
""",
    "an exception that a loop takes for its end": "def add(a, b): raise StopIteration\n",
    "an exception whose text raises": """
class Odd(BaseException):
    def __str__(self): raise SystemExit(0)
def add(a, b): raise Odd
""",
    "the limits are raised": """
import resource
def add(a, b):
    resource.setrlimit(resource.RLIMIT_NPROC, (10, 10))
""",
    "the interpreter crashes": """
import ctypes
def add(a, b): ctypes.string_at(0)
""",
    "the answer never comes": "def add(a, b):\n    while True: pass\n",
    "the program is never loaded": "import time\ntime.sleep(600)\n",
    "the memory is used up": "x = bytearray(3 * 1024**3)\n",
}
"""What a wrong program may do instead."""
