defmodule A do
end
