"""The Lua that makes a claim, a record and a hand-on one thing each.

Time is Redis's own everywhere, in milliseconds. A journal is a hash; `lease` in it is the lock, its place in `due`
only the alarm. Every script that changes a claimed journal compares both fence and token first, so whoever lost
the claim changes nothing. Field names: stage, fence, token, lease, not_before, run, deaths, tries, failing (since when
what the stage needs is away), wanted, noted, asked (how often a person asked to mend it), joined (the incident of which
this one is a symptom, or that an alert's words went to), umbrella (the post that speaks for it), clean (sweeps in a row
without the trouble), how (what they saw instead), cancels, rewatched, afresh (how often a person cancelled it, had it
watched, or mended, anew), ended, outcome, and `r:<name>` for records. An umbrella has `m:<incident>` for what it holds,
and closed once what was found is told. The newest endings of sweeps and incidents stand in the sorted set `ended`.
"""

from __future__ import annotations

_NOW = "local t=redis.call('TIME') local now=t[1]*1000+math.floor(t[2]/1000)\n"

_OURS = """
local f=redis.call('HMGET',KEYS[1],'fence','token','ended')
if f[1]~=ARGV[1] or f[2]~=ARGV[2] or f[3] then return 0 end
"""

_RAISE = """
local function raise(key, due)
  if redis.call('EXISTS',key)==0 then return end
  redis.call('HINCRBY',key,'signals',1)
  redis.call('HDEL',key,'ended')
  redis.call('PERSIST',key)
  redis.call('ZADD',due,now,key)
end
"""

_ENDED = """
local function remember(key, due)
  -- What ended lately, for whoever lists it: words and alerts do not count.
  if string.match(key,'^%w+:incident:') or string.match(key,'^%w+:sweep:') then
    local list=string.gsub(due,'schedule$','ended')
    redis.call('ZADD',list,now,key)
    redis.call('ZREMRANGEBYRANK',list,0,-1001)
    redis.call('PEXPIRE',list,2592000000)
  end
end
"""

OPEN_JOURNAL = (
    _NOW
    + """
-- KEYS journal, due. ARGV delay_ms, then field, value ... Makes the journal unless it is there.
if redis.call('EXISTS',KEYS[1])==1 then return 0 end
redis.call('HSET',KEYS[1],'opened',now,unpack(ARGV,2))
redis.call('ZADD',KEYS[2],now+tonumber(ARGV[1]),KEYS[1])
return 1
"""
)

STORE_ALERT = (
    _NOW
    + """
-- KEYS alert, due, tell, fold, pings, heard. ARGV fold_seconds, alert json, first_word_ms (<0: no answer owed),
-- silence_ms (0: no ping), what was heard ('': nothing of Railway's), when (ms).
if tonumber(ARGV[4])>0 then
  -- Whoever waits for pings is told that one came: at once where their silence was told, else when the next are late.
  redis.call('HSET',KEYS[5],'stage','pings','last',now)
  redis.call('HSETNX',KEYS[5],'opened',now)
  redis.call('HINCRBY',KEYS[5],'signals',1)
  redis.call('HDEL',KEYS[5],'ended','interval')
  redis.call('PERSIST',KEYS[5])
  local at=now+tonumber(ARGV[4])
  if redis.call('HGET',KEYS[5],'reported')=='1' then at=now end
  redis.call('ZADD',KEYS[2],at,KEYS[5])
end
if ARGV[5]~='' then
  redis.call('ZADD',KEYS[6],'GT',ARGV[6],ARGV[5])
  redis.call('ZREMRANGEBYRANK',KEYS[6],0,-1001)
  redis.call('PEXPIRE',KEYS[6],172800000)
end
if tonumber(ARGV[1])>0 then
  local known=redis.call('GET',KEYS[4])
  if known and redis.call('EXISTS',known)==1 then redis.call('HINCRBY',known,'firings',1) return known end
  redis.call('SET',KEYS[4],KEYS[1],'EX',ARGV[1])
end
redis.call('HSET',KEYS[1],'opened',now,'stage','intake','r:alert',ARGV[2])
redis.call('ZADD',KEYS[2],now,KEYS[1])
if tonumber(ARGV[3])>=0 then
  redis.call('HSET',KEYS[3],'opened',now,'stage','notify','r:alert',ARGV[2],'ack_due_at',now+tonumber(ARGV[3]))
  redis.call('ZADD',KEYS[2],now+tonumber(ARGV[3]),KEYS[3])
end
return KEYS[1]
"""
)

ENQUEUE_ON_SWEEP = (
    _NOW
    + """
-- KEYS gate, due, alert, its tell. ARGV environment, alert id, environment json, alert json, ttl_ms, what it tells,
-- the most fields that a sweep may have.
-- Puts the alert on the one sweep of its environment that nobody has claimed yet, made here if there is none. Where
-- one that tells the same stands on it already, that one's answer is this one's too, unless its own words have begun.
-- '' when the sweep is full.
local sweep=redis.call('HGET',KEYS[1],'queued_sweep')
if not sweep or redis.call('EXISTS',sweep)==0 or redis.call('HEXISTS',sweep,'ended')==1 then
  -- The gate may have been forgotten before the sweeps that it counted.
  repeat sweep=ARGV[1]..':'..redis.call('HINCRBY',KEYS[1],'n',1) until redis.call('EXISTS',sweep)==0
  redis.call('HSET',KEYS[1],'queued_sweep',sweep)
  redis.call('PEXPIRE',KEYS[1],ARGV[5])
  redis.call('HSET',sweep,'opened',now,'stage','survey','r:environment',ARGV[3])
end
local same=ARGV[6] and redis.call('HGET',sweep,'same:'..ARGV[6])
if same and same~=ARGV[2] and redis.call('HEXISTS',KEYS[4],'fence')==0 then
  local other=string.sub(KEYS[3],1,#KEYS[3]-#ARGV[2])..same
  if redis.call('HSETNX',KEYS[3],'same',same)==1 and redis.call('EXISTS',other)==1 then
    redis.call('HINCRBY',other,'firings',1)
  end
  redis.call('DEL',KEYS[4])
  redis.call('ZREM',KEYS[2],KEYS[4])
elseif ARGV[7] and redis.call('HLEN',sweep)>=tonumber(ARGV[7]) and redis.call('HEXISTS',sweep,'a:'..ARGV[2])==0 then
  return ''
else
  redis.call('HSET',sweep,'a:'..ARGV[2],ARGV[4])
  if ARGV[6] then redis.call('HSET',sweep,'same:'..ARGV[6],ARGV[2]) end
end
redis.call('ZADD',KEYS[2],now,sweep)
redis.call('HSET',KEYS[3],'sweep',sweep,'on:'..ARGV[1],sweep)
return sweep
"""
)

CLAIM = (
    _NOW
    + """
-- KEYS journal, due, gate. ARGV stage, token, lease_ms, gated. Answers the whole hash, or why not.
local h=redis.call('HMGET',KEYS[1],'stage','lease','not_before','ended','run','crashes','fence','signals','token')
if not h[1] or h[4] then redis.call('ZREM',KEYS[2],KEYS[1]) return 'ended' end
if h[1]~=ARGV[1] then return 'another stage' end
-- The client asks again when an answer was lost: it has the claim already.
if h[9]==ARGV[2] then return redis.call('HGETALL',KEYS[1]) end
if tonumber(h[2] or 0)>now or tonumber(h[3] or 0)>now then return 'busy' end
if ARGV[4]=='1' then
  local w=redis.call('HGET',KEYS[3],'running_sweep')
  if w and w~=KEYS[1] and redis.call('EXISTS',w)==1 and redis.call('HEXISTS',w,'ended')==0 then return 'busy' end
  redis.call('HSET',KEYS[3],'running_sweep',KEYS[1])
  if redis.call('HGET',KEYS[3],'queued_sweep')==KEYS[1] then redis.call('HDEL',KEYS[3],'queued_sweep') end
end
local run=string.match(redis.call('INFO','server'),'run_id:(%w+)')
local deaths=tonumber(h[6] or 0)
if h[2] and h[5]==run then deaths=deaths+1 end
local lease=now+tonumber(ARGV[3])
redis.call('HSET',KEYS[1],'fence',tonumber(h[7] or 0)+1,'token',ARGV[2],'lease',lease,'run',run,'crashes',deaths,
  'signals_seen',h[8] or 0,'taken_over',h[2] and 1 or 0)
redis.call('HDEL',KEYS[1],'not_before')
redis.call('ZADD',KEYS[2],lease,KEYS[1])
return redis.call('HGETALL',KEYS[1])
"""
)

RENEW_LEASE = (
    _NOW
    + _OURS
    + """
-- KEYS journal, due. ARGV fence, token, lease_ms.
redis.call('HSET',KEYS[1],'lease',now+tonumber(ARGV[3]))
redis.call('ZADD',KEYS[2],now+tonumber(ARGV[3]),KEYS[1])
return 1
"""
)

CHECK_FENCE = (
    _NOW
    + _OURS
    + """
-- KEYS journal. ARGV fence, token, milliseconds that the lease must still hold.
if tonumber(redis.call('HGET',KEYS[1],'lease') or 0)<now+tonumber(ARGV[3]) then return 0 end
return 1
"""
)

RECORD = (
    _OURS
    + """
-- KEYS journal. ARGV fence, token, then field, value ... A new record is progress: deaths and tries start again.
if string.sub(ARGV[3],1,2)=='r:' and redis.call('HEXISTS',KEYS[1],ARGV[3])==0 then
  redis.call('HSET',KEYS[1],'crashes',0,'attempts',0)
  redis.call('HDEL',KEYS[1],'failing_since')
end
redis.call('HSET',KEYS[1],unpack(ARGV,3))
return 1
"""
)

ADVANCE = (
    _NOW
    + _RAISE
    + _OURS
    + """
-- KEYS journal, due, tell or ''. ARGV fence, token, stage, after_ms, blocked (1: nobody before), reason, failed
-- (0: there was progress, 2: neither, the worker was ended).
redis.call('HDEL',KEYS[1],'lease','not_before')
local at=now+tonumber(ARGV[4])
if ARGV[5]=='1' then redis.call('HSET',KEYS[1],'not_before',at)
else
  local asked=redis.call('HMGET',KEYS[1],'signals','signals_seen')
  if tonumber(asked[1] or 0)>tonumber(asked[2] or 0) then at=now end
end
redis.call('HSET',KEYS[1],'stage',ARGV[3],'reason',ARGV[6])
if ARGV[7]~='2' then redis.call('HSET',KEYS[1],'crashes',0) end
if ARGV[7]=='1' then
  redis.call('HINCRBY',KEYS[1],'attempts',1)
  redis.call('HSETNX',KEYS[1],'failing_since',now)
elseif ARGV[7]=='0' then
  redis.call('HSET',KEYS[1],'attempts',0)
  redis.call('HDEL',KEYS[1],'failing_since')
end
redis.call('ZADD',KEYS[2],at,KEYS[1])
if KEYS[3]~='' then raise(KEYS[3],KEYS[2]) end
return 1
"""
)

END = (
    _NOW
    + _RAISE
    + _ENDED
    + _OURS
    + """
-- KEYS journal, due, tell or '', gate, open. ARGV fence, token, outcome, ttl_ms, gated, final (1: even if wanted).
local asked=redis.call('HMGET',KEYS[1],'signals','signals_seen')
if ARGV[6]~='1' and tonumber(asked[1] or 0)>tonumber(asked[2] or 0) then return 2 end
redis.call('HDEL',KEYS[1],'lease','not_before')
redis.call('HSET',KEYS[1],'ended',now,'outcome',ARGV[3])
redis.call('ZREM',KEYS[2],KEYS[1])
redis.call('PEXPIRE',KEYS[1],ARGV[4])
remember(KEYS[1],KEYS[2])
if KEYS[3]~='' then raise(KEYS[3],KEYS[2]) end
if ARGV[5]=='1' then
  if redis.call('HGET',KEYS[4],'running_sweep')==KEYS[1] then redis.call('HDEL',KEYS[4],'running_sweep') end
  local waiting=redis.call('HGET',KEYS[4],'queued_sweep')
  if waiting then redis.call('ZADD',KEYS[2],now,waiting) end
end
local owner=string.match(KEYS[1],'incident:(%w+):')
if owner and redis.call('HGET',KEYS[5],owner)==KEYS[1] then
  redis.call('HDEL',KEYS[5],owner)
  redis.call('SET',KEYS[5]..':over:'..owner,now,'PX',ARGV[4])
end
return 1
"""
)

ASSIGN_GROUP = (
    _NOW
    + _RAISE
    + """
-- KEYS open, due, opened lately, the umbrella that is open, name of a new one. ARGV window_ms, how many make an
-- umbrella, then fingerprint, journal ... of what a sweep is about to open.
-- Answers the umbrella that speaks for what is new among them: the open one, or one made here for all that was opened
-- within the window and stands under none yet; '' where there are too few.
redis.call('ZREMRANGEBYSCORE',KEYS[3],'-inf',now-tonumber(ARGV[1]))
local held={}
for i=3,#ARGV,2 do
  local holder=redis.call('HGET',KEYS[1],ARGV[i])
  local known=holder and holder~=ARGV[i+1] and redis.call('HMGET',holder,'stage','ended')
  if not known or not known[1] or known[2] then
    redis.call('ZADD',KEYS[3],'NX',now,ARGV[i+1])
    held[#held+1]=ARGV[i+1]
  end
end
if #held==0 then return '' end
redis.call('PEXPIRE',KEYS[3],ARGV[1])
local umbrella=redis.call('GET',KEYS[4])
local state=umbrella and redis.call('HMGET',umbrella,'stage','ended','closed')
if not state or not state[1] or state[2] or state[3]=='1' then
  held={}
  for _,key in ipairs(redis.call('ZRANGE',KEYS[3],0,-1)) do
    local known=redis.call('HMGET',key,'ended','group')
    if not known[1] and not known[2] then held[#held+1]=key end
  end
  if #held<tonumber(ARGV[2]) then return '' end
  umbrella=KEYS[5]
  while redis.call('EXISTS',umbrella)==1 do umbrella=umbrella..'+' end
  redis.call('HSET',umbrella,'opened',now,'stage','notify')
end
redis.call('SET',KEYS[4],umbrella,'PX',ARGV[1])
for _,key in ipairs(held) do
  redis.call('HSETNX',umbrella,'m:'..key,now)
  if redis.call('EXISTS',key)==1 and redis.call('HSETNX',key,'group',umbrella)==1 then
    local at=string.find(key,'incident:')
    raise(string.sub(key,1,at-1)..'notification:'..string.sub(key,at),KEYS[2])
  end
end
raise(umbrella,KEYS[2])
return umbrella
"""
)

OPEN_INCIDENT = (
    _NOW
    + _RAISE
    + """
-- KEYS open, due, journal, tell. ARGV fingerprint, incident json, first_word_ms, seen json, forwarded (1: the first
-- word is said already), sweep (counted once), umbrella that speaks for it or '', then tells to adopt ...
-- Answers the journal that holds the trouble of this cause: a new one, or the open one, which is joined.
-- An adopted tell (of an alert that named the service) says no more; its first word becomes the incident's, which
-- notes whose it may be: as long as it has none, and not of more than one full sweep's alerts.
local function adopt(telling, other)
  if redis.call('EXISTS',other)==0 then return end
  if redis.call('HEXISTS',telling,'r:ack')==0 and redis.call('HLEN',telling)<300 then
    redis.call('HSET',telling,'merge_from:'..other,now)
  end
  if redis.call('HEXISTS',other,'ended')==1 then return end
  redis.call('HSET',other,'merged_into',telling)
  raise(other,KEYS[2])
end
local holder=redis.call('HGET',KEYS[1],ARGV[1])
if holder and redis.call('HEXISTS',holder,'stage')==1 and redis.call('HEXISTS',holder,'ended')==0 then
  if not ARGV[6] or redis.call('HGET',holder,'seen_by')~=ARGV[6] then redis.call('HINCRBY',holder,'firings',1) end
  redis.call('HSET',holder,'clean_sweeps',0,'r:seen',ARGV[4],'seen_by',ARGV[6] or '')
  raise(holder,KEYS[2])
  local telling='notification:'..string.match(holder,'incident:.*$')
  telling=string.sub(holder,1,string.find(holder,'incident:')-1)..telling
  if ARGV[5]=='1' then redis.call('HSET',telling,'forwarded',1) end
  for i=8,#ARGV do adopt(telling,ARGV[i]) end
  if #ARGV>7 then raise(telling,KEYS[2]) end
  return holder
end
redis.call('HSET',KEYS[1],ARGV[1],KEYS[3])
redis.call('HSET',KEYS[3],'opened',now,'stage','enrich','r:incident',ARGV[2],'r:seen',ARGV[4],'firings',1,'clean_sweeps',0,
  'seen_by',ARGV[6] or '')
redis.call('ZADD',KEYS[2],now,KEYS[3])
redis.call('HSET',KEYS[4],'opened',now,'stage','notify','r:incident',ARGV[2],'ack_due_at',now+tonumber(ARGV[3]))
if ARGV[5]=='1' then redis.call('HSET',KEYS[4],'forwarded',1) end
if (ARGV[7] or '')~='' then redis.call('HSET',KEYS[3],'group',ARGV[7]) end
for i=8,#ARGV do adopt(KEYS[4],ARGV[i]) end
redis.call('ZADD',KEYS[2],now+tonumber(ARGV[3]),KEYS[4])
return KEYS[3]
"""
)

SUPPRESS = (
    _NOW
    + _RAISE
    + """
-- KEYS open, due, journal of the cause. ARGV fingerprint of a service that only suffers from it.
-- Its own open incident is recorded as joined, once while that of the cause is open; 1 when this was new.
local own=redis.call('HGET',KEYS[1],ARGV[1])
if not own or own==KEYS[3] then return 0 end
if redis.call('HEXISTS',own,'stage')==0 or redis.call('HEXISTS',own,'ended')==1 then return 0 end
local before=redis.call('HGET',own,'suppressed_by')
if before and (before==KEYS[3] or
  (redis.call('HEXISTS',before,'stage')==1 and redis.call('HEXISTS',before,'ended')==0)) then return 0 end
redis.call('HSET',own,'suppressed_by',KEYS[3])
raise(own,KEYS[2])
local at=string.find(own,'incident:')
raise(string.sub(own,1,at-1)..'notification:'..string.sub(own,at),KEYS[2])
return 1
"""
)

UNSUPPRESS = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due, tell. ARGV incident json, clean sweeps. A symptom that is a cause of its own after all; 1 when it
-- was one. Not before so many sweeps found nothing of what it was joined to: the last of that is no trouble of its own.
-- It waits for none that is a symptom itself by now. A round for which nothing was read yet begins with what is now.
local holder=redis.call('HGET',KEYS[1],'suppressed_by')
if not holder or redis.call('HEXISTS',KEYS[1],'ended')==1 then return 0 end
local of=redis.call('HMGET',holder,'stage','ended','suppressed_by','clean_sweeps')
if of[1] and not of[2] and not of[3] and tonumber(of[4] or 0)<tonumber(ARGV[2]) then return 0 end
redis.call('HDEL',KEYS[1],'suppressed_by')
if redis.call('HEXISTS',KEYS[1],'r:evidence')==0 then redis.call('HSET',KEYS[1],'r:incident',ARGV[1]) end
raise(KEYS[1],KEYS[2])
raise(KEYS[3],KEYS[2])
return 1
"""
)

UPDATE_SYMPTOMS = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due, tell. ARGV findings json. The newest of what others suffer because of it; 1 when it changed.
if redis.call('HEXISTS',KEYS[1],'stage')==0 or redis.call('HEXISTS',KEYS[1],'ended')==1 then return 0 end
if redis.call('HGET',KEYS[1],'r:symptoms')==ARGV[1] then return 0 end
redis.call('HSET',KEYS[1],'r:symptoms',ARGV[1])
raise(KEYS[3],KEYS[2])
return 1
"""
)

UPDATE_RECOVERY = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due. ARGV sweep, how: 'well', 'gone' (not there any more), or 'sick' in another's name. What a sweep
-- that did not find this trouble saw instead; counted once, and anew where it is not what the one before saw.
local known=redis.call('HMGET',KEYS[1],'stage','ended','recovered_by','recovery','clean_sweeps')
if not known[1] or known[2] or known[3]==ARGV[1] then return 0 end
local before=tonumber(known[5] or 0)
local clean=ARGV[2]~='sick' and (known[4]==ARGV[2] and before or 0)+1 or 0
redis.call('HSET',KEYS[1],'recovered_by',ARGV[1],'recovery',ARGV[2],'clean_sweeps',clean)
if clean~=before then raise(KEYS[1],KEYS[2]) end
return 1
"""
)

REQUEST_FIX = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due. ARGV records that are made again ... Back to planning, from where the round is only watched.
local h=redis.call('HMGET',KEYS[1],'stage','lease','ended','r:pull')
if h[1]~='watch' or h[3] or h[4] then return 0 end
if tonumber(h[2] or 0)>now then return 2 end
redis.call('HDEL',KEYS[1],'lease','not_before','r:outcome',unpack(ARGV))
redis.call('HSET',KEYS[1],'stage','plan')
redis.call('HINCRBY',KEYS[1],'fence',1)
redis.call('HINCRBY',KEYS[1],'fix_requests',1)
if #ARGV>0 then redis.call('HINCRBY',KEYS[1],'generation',1) end
raise(KEYS[1],KEYS[2])
return 1
"""
)

WAKE = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due. ARGV field, value ... Something new to look at: fields are set, `due` is now.
if redis.call('EXISTS',KEYS[1])==0 then return 0 end
if #ARGV>0 then redis.call('HSET',KEYS[1],unpack(ARGV)) end
raise(KEYS[1],KEYS[2])
return 1
"""
)

DISPATCH = (
    _NOW
    + """
-- KEYS due. ARGV put_off_ms, limit. Who is due now, each put off so that another mover leaves it alone.
local out={}
for _,key in ipairs(redis.call('ZRANGEBYSCORE',KEYS[1],'-inf',now,'LIMIT',0,tonumber(ARGV[2]))) do
  local stage=redis.call('HGET',key,'stage')
  if stage then
    redis.call('ZADD',KEYS[1],now+tonumber(ARGV[1]),key)
    out[#out+1]=key out[#out+1]=stage
  else redis.call('ZREM',KEYS[1],key) end
end
return out
"""
)

ADOPT_UNKNOWN_STAGE = (
    _NOW
    + """
-- KEYS journal, due. ARGV stage that nobody here knows, stage to go on with, patience_ms. It is left to a newer worker
-- for so long without a claim; 1 when it goes on here.
local h=redis.call('HMGET',KEYS[1],'stage','fence','lease','unknown')
if h[1]~=ARGV[1] or tonumber(h[3] or 0)>now then return 0 end
local claims=h[1]..' '..(h[2] or '0')..' '
local since=h[4] and string.sub(h[4],1,#claims)==claims and tonumber(string.sub(h[4],#claims+1))
if not since then redis.call('HSET',KEYS[1],'unknown',claims..now) return 0 end
if now-since<tonumber(ARGV[3]) then return 0 end
redis.call('HDEL',KEYS[1],'unknown','lease','not_before','token')
redis.call('HSET',KEYS[1],'stage',ARGV[2],'reason','no worker knew the stage '..ARGV[1])
redis.call('HINCRBY',KEYS[1],'fence',1)
redis.call('ZADD',KEYS[2],now,KEYS[1])
return 1
"""
)

RESERVE = """
-- KEYS reservations. ARGV holder, ttl_ms, held_ms. All of them or none; answers the holder of the first one taken.
-- Who has ended holds nothing any more, but for what is kept in its last `held_ms`, as after a cancel.
for _,key in ipairs(KEYS) do
  local holder=redis.call('GET',key)
  if holder and holder~=ARGV[1] then
    local at_work=redis.call('HEXISTS',holder,'stage')==1 and redis.call('HEXISTS',holder,'ended')==0
    if at_work or redis.call('PTTL',key)<=tonumber(ARGV[3]) then return holder end
  end
end
for _,key in ipairs(KEYS) do redis.call('SET',key,ARGV[1],'PX',ARGV[2]) end
return ARGV[1]
"""

RELEASE_RESERVATIONS = """
-- KEYS reservations. ARGV holder.
for _,key in ipairs(KEYS) do if redis.call('GET',key)==ARGV[1] then redis.call('DEL',key) end end
return 1
"""

RESERVE_BUDGET = """
-- KEYS day. ARGV holder, cost_micro, max_runs, max_cost_micro, max_runs_of_service, service, ttl_seconds.
-- 'reserved' (or already ours), else what is used up.
-- What an earlier run of the same round was settled at is raised to the whole again.
local before=redis.call('HGET',KEYS[1],'run:'..ARGV[1])
local runs=tonumber(redis.call('HGET',KEYS[1],'runs') or 0)
local cost=tonumber(redis.call('HGET',KEYS[1],'cost') or 0)
local more=math.max(0,tonumber(ARGV[2])-tonumber(before or 0))
if not before and runs+1>tonumber(ARGV[3]) then return 'runs' end
local mine=tonumber(redis.call('HGET',KEYS[1],'service:'..ARGV[6]) or 0)
if not before and mine+1>tonumber(ARGV[5]) then return 'service' end
if cost+more>tonumber(ARGV[4]) then return 'cost' end
redis.call('HINCRBY',KEYS[1],'run:'..ARGV[1],more)
if not before then
  redis.call('HINCRBY',KEYS[1],'runs',1)
  redis.call('HINCRBY',KEYS[1],'service:'..ARGV[6],1)
end
redis.call('HINCRBY',KEYS[1],'cost',more)
redis.call('EXPIRE',KEYS[1],ARGV[7])
return 'reserved'
"""

SETTLE_BUDGET = """
-- KEYS day. ARGV holder, cost_micro. The real cost so far takes the place of what was reserved or settled before.
local counted=redis.call('HGET',KEYS[1],'run:'..ARGV[1])
if not counted then return 0 end
redis.call('HINCRBY',KEYS[1],'cost',tonumber(ARGV[2])-tonumber(counted))
redis.call('HSET',KEYS[1],'run:'..ARGV[1],ARGV[2])
return 1
"""

START_WATCHDOG = (
    _NOW
    + """
-- KEYS pings, due. ARGV late_ms, boot_ms. From now on pings are waited for; after a start not at once.
if redis.call('HSETNX',KEYS[1],'opened',now)==1 then
  redis.call('HSET',KEYS[1],'stage','pings')
  redis.call('ZADD',KEYS[2],now+tonumber(ARGV[1]),KEYS[1])
end
redis.call('ZADD',KEYS[2],'GT',now+tonumber(ARGV[2]),KEYS[1])
return 1
"""
)

BRING_FORWARD = (
    _NOW
    + """
-- KEYS due. ARGV journal, ms. Whoever stands there is due by then.
return redis.call('ZADD',KEYS[1],'XX','LT',now+tonumber(ARGV[2]),ARGV[1])
"""
)

COUNT_AGENT_RUN = """
-- KEYS day. ARGV service. One more run of the agent; a day that is forgotten is not begun again.
if redis.call('EXISTS',KEYS[1])==0 then return 0 end
redis.call('HINCRBY',KEYS[1],'runs',1)
redis.call('HINCRBY',KEYS[1],'service:'..ARGV[1],1)
return 1
"""

CANCEL = (
    _NOW
    + _RAISE
    + _ENDED
    + """
-- KEYS journal, due, its tell or '', gate or journal, open. ARGV outcome, ttl_ms, gated, name under which its budget is
-- reserved, record of the outcome or '', pull (1: the record names a pull request), ms that reservations stay where a
-- pull request may be open. Answers 'cancelled', or 'gone', 'ended', 'changed' (ask again).
-- Whoever works on it has lost its claim with this: nothing that it finds out or did counts any more.
local h=redis.call('HMGET',KEYS[1],'stage','ended','reserved','r:pull','r:remote','r:outcome','budget_day','r:usage')
if not h[1] then return 'gone' end
if h[2] then return 'ended' end
if ARGV[5]~='' and (h[4] and '1' or '0')~=ARGV[6] then return 'changed' end
redis.call('HINCRBY',KEYS[1],'fence',1)
redis.call('HDEL',KEYS[1],'lease','not_before','token')
redis.call('HSET',KEYS[1],'ended',now,'outcome',ARGV[1])
redis.call('HINCRBY',KEYS[1],'cancel_count',1)
redis.call('ZREM',KEYS[2],KEYS[1])
redis.call('PEXPIRE',KEYS[1],ARGV[2])
remember(KEYS[1],KEYS[2])
local function hear(telling)
  local t=redis.call('HMGET',telling,'stage','ended','answer','merged_into')
  if not t[1] or t[2] or t[3] or t[4] then return end
  redis.call('HSET',telling,'answer',ARGV[1])
  raise(telling,KEYS[2])
end
if ARGV[3]=='1' then
  if redis.call('HGET',KEYS[4],'queued_sweep')==KEYS[1] then redis.call('HDEL',KEYS[4],'queued_sweep') end
  if redis.call('HGET',KEYS[4],'running_sweep')==KEYS[1] then redis.call('HDEL',KEYS[4],'running_sweep') end
  local waiting=redis.call('HGET',KEYS[4],'queued_sweep')
  if waiting then redis.call('ZADD',KEYS[2],now,waiting) end
  local tells=string.gsub(KEYS[2],'schedule$','notification:alert:')
  for _,field in ipairs(redis.call('HKEYS',KEYS[1])) do
    if string.sub(field,1,2)=='a:' then hear(tells..string.sub(field,3)) end
  end
end
local owner=string.match(KEYS[1],'^%w+:incident:(%w+):')
if not owner then
  if KEYS[3]~='' then hear(KEYS[3]) end
  return 'cancelled'
end
redis.call('HSET',KEYS[1],'r:cancelled',ARGV[5])
if redis.call('HGET',KEYS[5],owner)==KEYS[1] then
  redis.call('HDEL',KEYS[5],owner)
  redis.call('SET',KEYS[5]..':over:'..owner,now,'PX',ARGV[2])
end
for key in string.gmatch(h[3] or '','[^,]+') do
  if redis.call('GET',key)==KEYS[1] then
    if h[4] or (h[5] and not h[6]) then redis.call('PEXPIRE',key,ARGV[7]) else redis.call('DEL',key) end
  end
end
local counted=h[7] and redis.call('HGET',h[7],'run:'..ARGV[4])
if counted then
  local spent=h[8] and string.sub(h[8],1,2)=='1j' and cjson.decode(string.sub(h[8],3)).cost_usd or 0
  local cost=math.floor(spent*1000000)
  redis.call('HINCRBY',h[7],'cost',cost-tonumber(counted))
  redis.call('HSET',h[7],'run:'..ARGV[4],cost)
end
if KEYS[3]~='' then raise(KEYS[3],KEYS[2]) end
return 'cancelled'
"""
)

RETRY = (
    _NOW
    + _RAISE
    + """
-- KEYS journal, due, open, its tell or ''. ARGV stage, then as the asker saw them: fence, stage, ended; unproposed (1:
-- only while nothing of it was pushed), then the fields to forget (`r:<name>` for records) ...
-- Due now at that stage, as if it had not been tried. Answers 'due', or 'gone', 'in work', 'changed' (ask again), or
-- the other round that holds the trouble.
local h=redis.call('HMGET',KEYS[1],'stage','lease','ended','fence')
if not h[1] then return 'gone' end
if not h[3] and tonumber(h[2] or 0)>now then return 'in work' end
if (h[4] or '')~=ARGV[2] or h[1]~=ARGV[3] or (h[3] or '')~=ARGV[4] then return 'changed' end
if ARGV[5]=='1' and redis.call('HEXISTS',KEYS[1],'r:branch')+redis.call('HEXISTS',KEYS[1],'r:pull')>0 then
  return 'changed'
end
local owner=string.match(KEYS[1],'^%w+:incident:(%w+):')
if owner then
  local holder=redis.call('HGET',KEYS[3],owner)
  if holder and holder~=KEYS[1] and redis.call('HEXISTS',holder,'stage')==1
    and redis.call('HEXISTS',holder,'ended')==0 then return holder end
  redis.call('HSET',KEYS[3],owner,KEYS[1])
  -- What earlier sweeps did not see any more is seen to again.
  if h[3] then redis.call('HSET',KEYS[1],'clean_sweeps',0) end
end
if ARGV[5]=='1' then redis.call('HINCRBY',KEYS[1],'generation',1) end
-- A second outcome, and a second end of the watch, are told as such.
local told={['r:outcome']='fix_requests',['r:follow_up']='rewatch_count'}
for i=6,#ARGV do
  if redis.call('HDEL',KEYS[1],ARGV[i])==1 and told[ARGV[i]] then redis.call('HINCRBY',KEYS[1],told[ARGV[i]],1) end
  redis.call('HDEL',KEYS[1],'again:'..string.sub(ARGV[i],3))
end
-- Of a symptom it is done all the same: a person asked.
if ARGV[1]~='watch' and redis.call('HEXISTS',KEYS[1],'suppressed_by')==1
  and redis.call('HEXISTS',KEYS[1],'fix_requests')==0 then
  redis.call('HSET',KEYS[1],'fix_requests',1)
end
redis.call('HDEL',KEYS[1],'lease','not_before','token','failing_since','reason','ended','outcome')
redis.call('HSET',KEYS[1],'stage',ARGV[1],'crashes',0,'attempts',0)
redis.call('HINCRBY',KEYS[1],'fence',1)
redis.call('ZREM',(string.gsub(KEYS[2],'schedule$','ended')),KEYS[1])
raise(KEYS[1],KEYS[2])
if owner then raise(KEYS[4],KEYS[2]) return 'due' end
-- Whoever was answered is answered anew.
local function again(telling)
  if redis.call('HDEL',telling,'answer')==1 then redis.call('HINCRBY',telling,'repeat_count',1) end
end
if KEYS[4]~='' then again(KEYS[4]) end
local tells=string.gsub(KEYS[2],'schedule$','notification:alert:')
for _,field in ipairs(redis.call('HKEYS',KEYS[1])) do
  if string.sub(field,1,2)=='a:' then again(tells..string.sub(field,3)) end
end
return 'due'
"""
)
