"""Damaged samples: one for every finding, made from a valid sample by the smallest edit.

A recipe is a function with @damaged(code, sample): it gets an Image (a copy of samples/criu/<sample>, or of
samples/linux-cr/<sample>.ckpt as x.ckpt) and breaks one thing. Its name is the damage in words. It may return the path, below the copy, of the image to check. Messages are edited as the JSON of `crimg crit`.
"""
import glob
import json
import os
import shutil
import subprocess

RECIPES = []


def damaged(code, sample, options=(), exit_code=1, golden=True, powerless=False):
    """exit_code: 1 for errors, 0 for warnings and notes, None where it depends on the machine. options: of crimg validate. golden: False where the
    answer depends on the machine: then only the code is looked for. powerless: run without capabilities."""

    def add(function):
        RECIPES.append((code, sample, tuple(options), exit_code, golden, powerless, function))
        return function

    return add


class Image:
    def __init__(self, crimg, path):
        self.crimg, self.path = crimg, path

    def file(self, pattern):
        """The path of the only file (the first) that matches: "core-*.img"."""
        found = sorted(glob.glob(os.path.join(self.path, pattern)))
        if not found:
            raise KeyError(pattern)
        return found[0]

    def load(self, pattern):
        out = subprocess.run([self.crimg, "crit", "decode", "-i", self.file(pattern)], check=True,
                             stdout=subprocess.PIPE)
        return json.loads(out.stdout)

    def store(self, name, document):
        """Writes a document as the file called name (or the one that the pattern matches)."""
        target = self.file(name) if "*" in name else os.path.join(self.path, name)
        subprocess.run([self.crimg, "crit", "encode", "-o", target], check=True,
                       input=json.dumps(document).encode())

    def edit(self, pattern, change):
        """change(document) edits the entries in place: document["entries"][0][…]."""
        document = self.load(pattern)
        change(document)
        self.store(os.path.relpath(self.file(pattern), self.path), document)

    def remove(self, pattern):
        os.unlink(self.file(pattern))

    def bytes(self, pattern):
        with open(self.file(pattern), "rb") as f:
            return bytearray(f.read())

    def write(self, pattern, data):
        with open(self.file(pattern), "wb") as f:
            f.write(data)

    def path_of(self, name):
        return os.path.join(self.path, name)


def make(crimg, samples, work):
    """Makes every sample; yields (code, path below work, name, options, exit_code, golden, powerless)."""
    for code, sample, options, exit_code, golden, powerless, recipe in RECIPES:
        name = f"CI-{code:04}-{recipe.__name__}"
        target = os.path.join(work, name)
        if sample.endswith(".ckpt"):
            os.mkdir(target)
            shutil.copy(os.path.join(samples, "linux-cr", sample), os.path.join(target, "x.ckpt"))
        else:
            shutil.copytree(os.path.join(samples, "criu", sample), target, symlinks=True)
        below = recipe(Image(crimg, target)) or ("x.ckpt" if sample.endswith(".ckpt") else None)
        path = os.path.join(name, below) if below else name
        yield code, path, name, options, exit_code, golden, powerless
