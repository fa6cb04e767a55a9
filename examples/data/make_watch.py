#!/usr/bin/env python3
"""Makes watch.parquet from the source distribution of seglearn 1.2.5 on PyPI.

    pip install numpy==2.4.6 pyarrow==26.0.1
    pip download --no-deps --no-binary :all: seglearn==1.2.5
    python make_watch.py seglearn-1.2.5.tar.gz watch.parquet

seglearn itself is not installed and none of its code is run. The output is the same, byte for byte, for the versions above.
"""

import hashlib
import io
import json
import pickle
import sys
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SDIST_SHA256 = "90c45b5ced6bac355016c768cb405835815c51ef794c24b4f727d0c7855266c8"
MEMBER = "seglearn-1.2.5/seglearn/data/watch_dataset.npy"

PERIOD_NS = 20_000_000  # 50 Hz
START_NS = 1_514_764_800_000_000_000  # 2018-01-01T00:00:00Z; the recordings carry no date
BETWEEN_SERIES_NS = 10_000_000_000  # longer than features.max_gap_s, so that no window spans two exercises
BETWEEN_DEVICES_NS = 60_000_000_000

SIDES = {0: "left", 1: "right"}
AXES = ["ax", "ay", "az", "wx", "wy", "wz"]


class ArraysOnly(pickle.Unpickler):
    """Reads the pickle inside the .npy file and nothing but numpy arrays in it."""

    ALLOWED = {
        ("multiarray", "_reconstruct"),
        ("multiarray", "scalar"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),  # how Python 3 pickles bytes in protocol 2
    }

    def find_class(self, module, name):
        if (module.rsplit(".", 1)[-1], name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a data file")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def load(sdist):
    packed = open(sdist, "rb").read()
    found = hashlib.sha256(packed).hexdigest()
    if found != SDIST_SHA256:
        sys.exit(f"{sdist} has sha256 {found}, expected {SDIST_SHA256}")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        stream = archive.extractfile(MEMBER)
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        return ArraysOnly(stream).load().item()


def rows(data):
    """One block of columns per series: device after device, within a device in the order of the source."""
    order = sorted(range(len(data["X"])), key=lambda i: (data["subject"][i], data["side"][i], i))
    clock, device = START_NS, None
    for series in order:
        subject, side = int(data["subject"][series]), SIDES[int(data["side"][series])]
        if device is not None:
            clock += BETWEEN_SERIES_NS if device == (subject, side) else BETWEEN_DEVICES_NS
        device = (subject, side)
        readings = np.asarray(data["X"][series])
        count = len(readings)
        yield {
            "timestamp_ns": clock + PERIOD_NS * np.arange(count, dtype=np.int64),
            "subject": np.full(count, subject, np.int32),
            "side": np.full(count, side),
            "series": np.full(count, series, np.int32),
            "label": np.full(count, data["y"][series], np.int32),
            **{axis: readings[:, i].astype(np.float32) for i, axis in enumerate(AXES)},
        }
        clock += PERIOD_NS * count


def main(sdist, output):
    data = load(sdist)
    assert data["X_labels"] == AXES, data["X_labels"]
    blocks = list(rows(data))
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    units = {**dict.fromkeys(AXES[:3], "g"), **dict.fromkeys(AXES[3:], "rad/s")}
    types = {"timestamp_ns": pa.int64(), "side": pa.string(), **dict.fromkeys(["subject", "series", "label"], pa.int32())}
    schema = pa.schema(
        [
            pa.field(name, types.get(name, pa.float32()), nullable=False, metadata={"unit": units[name]} if name in units else None)
            for name in columns
        ],
        metadata={
            "name": "watch",
            "source": "PyPI seglearn 1.2.5, seglearn/data/watch_dataset.npy; Burns et al. 2018, arXiv 1802.01489",
            "license": "BSD-3-Clause, see README.md beside this file",
            "preprocessing": "float64 to float32; devices in order; timestamp_ns is synthetic: 50 Hz, 10 s between series",
            "label_names": json.dumps(dict(enumerate(map(str, data["y_labels"])))),
        },
    )
    pq.write_table(
        pa.table(columns, schema=schema),
        output,
        row_group_size=65_536,
        compression="zstd",
        compression_level=19,
        use_dictionary=["subject", "side", "series", "label"],
        column_encoding={"timestamp_ns": "DELTA_BINARY_PACKED", **dict.fromkeys(AXES, "BYTE_STREAM_SPLIT")},
    )
    print(f"{output}: {len(columns['label'])} rows, sha256 {hashlib.sha256(open(output, 'rb').read()).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
