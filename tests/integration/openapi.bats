#!/usr/bin/env bats
# docs/openapi.yaml and the server name the same routes.

@test "the document and the server have the same routes" {
    top=$BATS_TEST_DIRNAME/../..
    documented=$(awk '/^paths:/ { on = 1 } /^components:/ { on = 0 }
        on && /^  \// { path = $1; sub(/:$/, "", path) }
        on && /^    (get|head|post|put|delete):/ { method = $1; sub(/:$/, "", method); print toupper(method), path }' \
        "$top/docs/openapi.yaml" | sort)
    served=$("$top/build/davitd" --routes | cut -d' ' -f1,2 | sort)
    [ -n "$served" ]
    diff <(echo "$documented") <(echo "$served")
}

@test "every route says what whoever asks has to be allowed" {
    rows=$("$BATS_TEST_DIRNAME/../../build/davitd" --routes)
    [ "$(echo "$rows" | wc -l)" -gt 60 ]
    ! echo "$rows" | grep -vE '^(GET|HEAD) /[^ ]* read$|^(POST|PUT|DELETE) /[^ ]* operate$'
}
