! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What steers a fit: one record, unpacked from the one vector in which it crosses the door.
module solver_options
    use kinds, only: wp
    implicit none (type, external)
    private
    public :: options_of

    integer, parameter, public :: loss_linear = 0       !! the residuals' squares
    integer, parameter, public :: loss_soft_l1 = 1
    integer, parameter, public :: loss_huber = 2
    integer, parameter, public :: loss_cauchy = 3
    integer, parameter, public :: loss_arctan = 4
    integer, parameter, public :: loss_poisson = 5      !! the deviance of counts

    ! Of robust losses, the least that the second derivative of a point counts in the iteration, as a share of rho'.
    real(wp), parameter, public :: least_share = 0.3_wp

    ! What rows are folded for.
    integer, parameter, public :: rows_of_iteration = 0
    integer, parameter, public :: rows_of_curvature = 1     !! whose JᵀJ is the curvature of the cost
    integer, parameter, public :: rows_of_gradients = 2     !! whose JᵀJ is the sum of squared gradients of points

    integer, parameter, public :: option_numbers = 8    !! length of the vector

    !> The options of a fit, or of many.
    type, public :: fit_options
        real(wp) :: ftol                                !! tolerance on the relative reduction of the cost, >= 0
        real(wp) :: xtol                                !! tolerance on the relative change between iterates, >= 0
        real(wp) :: gtol                                !! tolerance on the cosine between f and J's columns, >= 0
        real(wp) :: factor                              !! initial step bound, in units of ‖D x‖, > 0
        real(wp) :: maxfev                              !! bound on evaluations, a whole number > 0, tested once a step
        real(wp) :: epsfcn                              !! relative error of the residuals; below eps counts as eps
        integer :: loss = loss_linear                   !! one of the codes above
        real(wp) :: f_scale = 1.0_wp                    !! residual from which on a robust loss counts less, > 0
        integer :: purpose = rows_of_iteration          !! of what the rows are to be
    end type fit_options

contains

    !> Unpack the options.
    pure function options_of(numbers) result(options)
        real(wp), intent(in) :: numbers(option_numbers)     !! as listed in fit_options
        type(fit_options) :: options

        options = fit_options(ftol=numbers(1), xtol=numbers(2), gtol=numbers(3), factor=numbers(4), &
                              maxfev=numbers(5), epsfcn=numbers(6), loss=int(numbers(7)), f_scale=numbers(8))
    end function options_of

end module solver_options
