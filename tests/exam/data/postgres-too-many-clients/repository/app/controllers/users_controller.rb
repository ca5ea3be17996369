class UsersController < ApplicationController
  def index
    render json: User.limit(50)
  end
end
