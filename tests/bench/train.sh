#!/bin/sh
# Training beside scikit-learn's in one run: the three models with 5 x 5 folds on the real table, then one fit of a forest (depth 16), and of
# boosting beside LightGBM, on generated rows, reading the file included on our side alone. ROWS="100000:100 1000000:10" (rows:trees) changes the sizes.
set -eu
cd "$(dirname "$0")/../.."
BIN=$(readlink -f "${BIN:-build/bin}")
PYTHON=${VENV:-build/venv}/bin/python
TABLE=${SHARED:-../shared}/data/ibm_hr_attrition.csv
SCHEMAS_DIR=$PWD/schemas
export SCHEMAS_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compare WHAT KIND TREES TABLE TRAINER-OPTIONS…
compare() {
    what=$1 kind=$2 trees=$3 table=$4
    shift 4
    /usr/bin/time -o "$work/time" -f '%e %U %S' "$BIN/trainer" train "$table" --model "$kind" --out "$work/model.onnx" "$@" >/dev/null 2>"$work/errors" ||
        { cat "$work/errors" >&2; exit 1; }
    ours=$(tail -1 "$work/time")
    rival=$("$PYTHON" -W ignore tests/bench/train_rival.py "$table" "$what" "$kind" "$trees")
    echo "$ours $rival" | awk -v name="$kind" '{ printf "%-24s wall %7.2f s, CPU %7.2f s; rival wall %7.2f s, CPU %7.2f s; ratio wall %.3f, CPU %.3f\n",
        name, $1, $2 + $3, $4, $5, $1 / $4, ($2 + $3) / $5 }'
}

echo "5 x 5 folds, $(wc -l <"$TABLE") lines"
for kind in logistic-regression logistic-regression-l2; do
    compare cv "$kind" 0 "$TABLE" --repeats 5
done
compare cv random-forest 100 "$TABLE" --repeats 5 --param max_depth=16
for size in ${ROWS:-100000:100 1000000:10}; do
    rows=${size%:*} trees=${size#*:}
    "$BIN/producer" generate --count "$rows" --out "$work/rows.csv" >/dev/null
    echo "one forest of $trees trees, $rows generated rows"
    compare forest random-forest "$trees" "$work/rows.csv" --folds 0 --test-size 0.01 --threshold 0.5 --param "n_estimators=$trees" --param max_depth=16
    echo "boosting, $trees trees of 31 leaves, beside LightGBM"
    compare boosting gradient-boosting "$trees" "$work/rows.csv" --folds 0 --test-size 0.01 --threshold 0.5 --param "n_estimators=$trees" --param max_leaves=31 \
        --param max_depth=None --param learning_rate=0.1 --param subsample=1 --param colsample_bytree=1
done
