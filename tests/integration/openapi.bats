#!/usr/bin/env bats
# docs/openapi.yaml and the server name the same routes.

@test "the document and the server have the same routes" {
    top=$BATS_TEST_DIRNAME/../..
    documented=$(awk '/^paths:/ { on = 1 } /^components:/ { on = 0 }
        on && /^  \// { path = $1; sub(/:$/, "", path); gsub(/\{[a-z]*\}/, "*", path) }
        on && /^    (get|head|post|put|delete):/ { method = $1; sub(/:$/, "", method); print toupper(method), path }' \
        "$top/docs/openapi.yaml" | sort)
    served=$(sed -n 's/^    {"\([A-Z]*\)", "\([^"]*\)", \(NULL\|"\([^"]*\)"\), api_.*/\1 \2 \3/p' "$top/supervisor/api.c" |
        awk '{ suffix = $3; gsub(/"/, "", suffix); print $1, (suffix == "NULL" ? $2 : $2 "*" suffix) }' | sort)
    [ -n "$served" ]
    diff <(echo "$documented") <(echo "$served")
}
