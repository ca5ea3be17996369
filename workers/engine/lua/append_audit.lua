-- Record an action of a person that changes nothing. Returns 'done', or 'repeated' if its request has an answer.
local request, audit = KEYS[1], KEYS[2]
local entry = ARGV[1]
-- @include common/answer_once.lua

conclude()
return 'done'
