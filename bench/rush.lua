-- Each person of one file posts to each path of another, path after path: every request is a
-- new one, and a million of them need no room. Counts the replies by status.
-- Arguments: file of tokens, file of paths, number of threads, requests a second (0: no limit).
local open_loop = dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "pace.lua")

local threads = {}
local tokens, paths = {}, {}
local at, step = 0, 1
statuses, without_retry_after = {}, 0

function setup(thread)
  thread:set("id", #threads)
  threads[#threads + 1] = thread
end

function init(args)
  for line in io.lines(args[1]) do tokens[#tokens + 1] = line end
  for line in io.lines(args[2]) do paths[#paths + 1] = line end
  at, step = id, tonumber(args[3])
  local rate = tonumber(args[4])
  if rate > 0 then delay = open_loop(rate / step) end
end

function request()
  local token, path = tokens[at % #tokens + 1], paths[math.floor(at / #tokens) + 1]
  at = at + step
  if path == nil then
    wrk.thread:stop()
    path = paths[1]
  end
  return "POST " .. path .. " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. token
    .. "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
end

function response(status, headers)
  statuses[status] = (statuses[status] or 0) + 1
  if status >= 400 and headers["retry-after"] == nil then
    without_retry_after = without_retry_after + 1
  end
end

function done(summary)
  local errors, counts, silent = summary.errors, {}, 0
  for _, thread in ipairs(threads) do
    silent = silent + thread:get("without_retry_after")
    for status, count in pairs(thread:get("statuses")) do
      counts[status] = (counts[status] or 0) + count
    end
  end
  io.write(string.format(
    "RESULT %d %d %d", summary.duration, errors.connect + errors.read + errors.write, silent))
  for status, count in pairs(counts) do io.write(string.format(" %d=%d", status, count)) end
  io.write("\n")
end
