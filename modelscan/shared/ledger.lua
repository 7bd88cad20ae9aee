-- One batch of one router, applied whole or not at all. ARGV: the prefix, the router, its operations as JSON.
-- Of each window a hash: `used` and `held` in all; `used:R` and `held:R` of each router; `rows`, what only the usage rows
-- knew. Amounts are exact up to 2^53 ($9,007 in pico-dollars); beyond that a comparison may be off by as little.
local prefix, me, operations = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local routers, changed, ends = prefix .. ':routers', prefix .. ':changed', prefix .. ':ends'
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local LATE = 3600 -- Seconds that a window outlives its end, for what is settled late.
local CLAIMED = 30 -- Seconds that one router has to settle what a dead one held.

local function key_of(window) return prefix .. ':window:' .. window end

local function amount_in(key, field) return tonumber(redis.call('HGET', key, field) or '0') end

local function add(key, field, amount)
  if amount ~= 0 then redis.call('HINCRBY', key, field, string.format('%.0f', amount)) end
end

local function touch(window, ends_at)
  redis.call('ZADD', changed, string.format('%.6f', now), window)
  redis.call('ZADD', ends, ends_at, window)
  redis.call('EXPIREAT', key_of(window), math.ceil(ends_at + LATE))
end

-- What is used is at least what the rows say.
local function raise(window, ends_at, least)
  local key = key_of(window)
  local missing = tonumber(least) - amount_in(key, 'used')
  if missing > 0 then
    add(key, 'rows', missing)
    add(key, 'used', missing)
    touch(window, ends_at)
  end
end

-- [used, held] in all, then this router's part of both.
local function state_of(window)
  local found = redis.call('HMGET', key_of(window), 'used', 'held', 'used:' .. me, 'held:' .. me)
  return { found[1] or '0', found[2] or '0', found[3] or '0', found[4] or '0' }
end

local function settle(router, parts)
  for _, part in ipairs(parts) do
    local window, ends_at, amount, counted, used = unpack(part)
    local key = key_of(window)
    amount, used = tonumber(amount), tonumber(used)
    if redis.call('EXISTS', key) == 1 then
      local kind, spent = 'held', used
      if counted == 1 then kind, spent = 'used', used - amount else add(key, 'held', -amount) end
      if kind == 'held' then add(key, 'held:' .. router, -amount) end
      add(key, 'used', spent)
      add(key, 'used:' .. router, spent)
      touch(window, ends_at)
    end
  end
end

local act = {}

-- [hold, [[window, ends_at, limit, amount, counted, least], ...]] -> [0, state, ...], or [place from 1, state] of the one that refuses
function act.reserve(hold, wants)
  for place, want in ipairs(wants) do
    local window, ends_at, limit, amount, _, least = unpack(want)
    raise(window, ends_at, least)
    local state = state_of(window)
    if tonumber(state[1]) + tonumber(state[2]) + tonumber(amount) > tonumber(limit) then
      return { place, state }
    end
  end
  local granted = { 0 }
  for place, want in ipairs(wants) do
    local window, ends_at, _, amount, counted = unpack(want)
    local kind = counted == 1 and 'used' or 'held'
    add(key_of(window), kind, tonumber(amount))
    add(key_of(window), kind .. ':' .. me, tonumber(amount))
    touch(window, ends_at)
    granted[place + 1] = state_of(window)
  end
  redis.call('HSET', prefix .. ':holds:' .. me, hold, cjson.encode(wants))
  return granted
end

-- [hold, [[window, ends_at, amount, counted, used], ...]]
function act.settle(hold, parts)
  if redis.call('HDEL', prefix .. ':holds:' .. me, hold) == 1 then settle(me, parts) end
  return true
end

-- [[window, ends_at, least], ...]
function act.raise(windows)
  for _, one in ipairs(windows) do raise(unpack(one)) end
  return true
end

-- What this router used and holds in all, in place of what is known of it: it was away, or Redis was.
-- [[[window, ends_at, used, held], ...], {hold: wants}]
function act.join(windows, holds)
  redis.call('HSET', routers, me, string.format('%.6f', now))
  redis.call('DEL', prefix .. ':holds:' .. me)
  for _, one in ipairs(windows) do
    local window, ends_at, used, held = unpack(one)
    local key = key_of(window)
    local news = tonumber(used) - amount_in(key, 'used:' .. me)
    local fresh = tonumber(held) - amount_in(key, 'held:' .. me)
    -- Rows of what it used meanwhile may have been counted already, as rows of nobody.
    local known = math.max(0, math.min(news, amount_in(key, 'rows')))
    add(key, 'rows', -known)
    add(key, 'used', news - known)
    add(key, 'used:' .. me, news)
    add(key, 'held', fresh)
    add(key, 'held:' .. me, fresh)
    touch(window, ends_at)
  end
  for hold, wants in pairs(holds) do
    redis.call('HSET', prefix .. ':holds:' .. me, hold, cjson.encode(wants))
  end
  return true
end

-- [since] -> [now, [[router, seconds since its last sign], ...], [[window, ends_at, state], ...]]
function act.beat(since)
  redis.call('HSET', routers, me, string.format('%.6f', now))
  for _, window in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now - LATE)) do
    redis.call('ZREM', ends, window)
    redis.call('ZREM', changed, window)
  end
  local seen, news = {}, {}
  local all = redis.call('HGETALL', routers)
  for i = 1, #all, 2 do seen[#seen + 1] = { all[i], now - tonumber(all[i + 1]) } end
  for _, window in ipairs(redis.call('ZRANGEBYSCORE', changed, since, '+inf')) do
    news[#news + 1] = { window, tonumber(redis.call('ZSCORE', ends, window)), state_of(window) }
  end
  return { string.format('%.6f', now), seen, news }
end

-- Take it on to settle what a dead router held. [router] -> {hold: wants}, or false: another one does it.
function act.claim(dead)
  if not redis.call('SET', prefix .. ':burial:' .. dead, me, 'NX', 'EX', CLAIMED) then return false end
  local found, all = {}, redis.call('HGETALL', prefix .. ':holds:' .. dead)
  for i = 1, #all, 2 do found[#found + 1] = { all[i], cjson.decode(all[i + 1]) } end
  return { found }
end

-- [router, [[hold, [[window, ends_at, amount, counted, used], ...]], ...]]
function act.bury(dead, holds)
  if redis.call('GET', prefix .. ':burial:' .. dead) ~= me then return false end
  for _, one in ipairs(holds) do
    if redis.call('HDEL', prefix .. ':holds:' .. dead, one[1]) == 1 then settle(dead, one[2]) end
  end
  redis.call('HDEL', routers, dead)
  redis.call('DEL', prefix .. ':holds:' .. dead, prefix .. ':burial:' .. dead)
  return true
end

function act.leave()
  redis.call('HDEL', routers, me)
  redis.call('DEL', prefix .. ':holds:' .. me)
  return true
end

-- Whoever is not known must say first what it used: Redis was emptied, or took the router for dead.
if operations[1][1] ~= 'join' and redis.call('HEXISTS', routers, me) == 0 then return 'false' end
local answers = {}
for place, operation in ipairs(operations) do
  answers[place] = act[operation[1]](unpack(operation, 2))
end
return cjson.encode(answers)
