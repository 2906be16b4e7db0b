"""Turns a text file into a C source file: embed.py HEADER NAME INPUT OUTPUT."""

import sys

BYTES_PER_LINE = 16


def main(header, name, input_path, output_path):
    with open(input_path, "rb") as source:
        data = source.read()
    with open(output_path, "w", encoding="ascii") as out:
        out.write(f'#include "{header}"\n\nconst char {name}[] = {{\n')
        for start in range(0, len(data), BYTES_PER_LINE):
            line = data[start : start + BYTES_PER_LINE]
            out.write("    " + " ".join(f"'\\x{byte:02x}'," for byte in line) + "\n")
        out.write(f"    0}};\nconst size_t {name}_size = sizeof({name}) - 1;\n")


main(*sys.argv[1:])
