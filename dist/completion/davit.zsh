#compdef davit
# zsh completion for davit(1): davit itself says what a word may become
local -a candidates
candidates=("${(@f)$(${words[1]} __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
if [[ -n ${candidates[1]} ]]; then
    compadd -a candidates
else
    _files
fi
