# Is the event of this proof in the log of my checkpoint? check_inclusion.py PROOF CHECKPOINT
# exits with 0 if it is, else with 1. The names are those of RFC 9162, 2.1.3.2.
import base64, hashlib, json, sys

proof, kept = json.load(open(sys.argv[1], "rb")), open(sys.argv[2], "rb").read().splitlines()
fn, sn, event = proof["leaf_index"], proof["tree_size"] - 1, base64.b64decode(proof["stored"])
0 <= fn <= sn or sys.exit(1)  # step 1: the tree has this leaf
r = hashlib.sha256(b"\0" + proof["entry"].encode() + b"\n" + event).digest()
for p in map(base64.b64decode, proof["hashes"]):
    sn or sys.exit(1)  # step 4a: the proof ends with the path
    r = hashlib.sha256(b"\1" + (p + r if fn % 2 or fn == sn else r + p)).digest()
    while 0 < fn == sn and fn % 2 == 0:
        fn, sn = fn // 2, sn // 2
    fn, sn = fn // 2, sn // 2
sys.exit([fn, sn, b"%d" % proof["tree_size"], base64.b64encode(r)] != [0, 0, *kept[1:3]])
