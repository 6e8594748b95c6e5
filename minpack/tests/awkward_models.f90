! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Models that are not finite everywhere, and one that fits another while it is being fitted.
module awkward_models
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_positive_inf
    use kinds, only: wp
    use fits, only: fit_options, fit_outcome, fit_with_jacobian, fit_by_differences
    use problems, only: residuals, jacobian, starting_point
    implicit none (type, external)
    private
    public :: logarithm, logarithm_with_jacobian, wall, wall_with_jacobian, growth, growth_with_jacobian, &
              broken_jacobian, reversed_jacobian, start_nesting, nested, nested_with_jacobian

    integer, public :: not_finite_calls = 0         !! evaluations that gave NaN or Inf
    integer, public :: jacobians_before_nan = 0     !! how many Jacobians `broken_jacobian` gets right

    !> The problem fitted by the nested models (Box 3-D), at both levels.
    integer, parameter, public :: nested_problem = 12

    integer, public :: inner_fits = 0               !! fits made inside a fit
    logical, public :: inner_fits_agreed = .true.   !! all of them to the bit as alone
    integer :: depth = 0
    type(fit_outcome) :: alone

contains

    !> log x and x - 1, NaN for x <= 0; the minimum is at 1.
    subroutine logarithm(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        if (x(1) <= 0.0_wp) then
            not_finite_calls = not_finite_calls + 1
            fvec = ieee_value(1.0_wp, ieee_quiet_nan)
        else
            fvec = [log(x(1)), 0.01_wp*(x(1) - 1.0_wp)]
        end if
    end subroutine logarithm

    subroutine logarithm_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 1) call logarithm(m, n, x, fvec, iflag)
        if (iflag == 2) fjac(:, 1) = [1.0_wp/x(1), 0.01_wp]
    end subroutine logarithm_with_jacobian

    !> exp x - e, infinite beyond x = 100; the minimum is at 1.
    subroutine growth(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        if (x(1) > 100.0_wp) then
            not_finite_calls = not_finite_calls + 1
            fvec = ieee_value(1.0_wp, ieee_positive_inf)
        else
            fvec = exp(x(1)) - exp(1.0_wp)
        end if
    end subroutine growth

    subroutine growth_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 1) call growth(m, n, x, fvec, iflag)
        if (iflag == 2) fjac = exp(x(1))
    end subroutine growth_with_jacobian

    !> x, NaN below 1: the model ends before its minimum.
    subroutine wall(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        fvec = x(1)
        if (x(1) < 1.0_wp) then
            not_finite_calls = not_finite_calls + 1
            fvec = ieee_value(1.0_wp, ieee_quiet_nan)
        end if
    end subroutine wall

    subroutine wall_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 1) call wall(m, n, x, fvec, iflag)
        if (iflag == 2) fjac = 1.0_wp
    end subroutine wall_with_jacobian

    !> Rosenbrock's function with a NaN in the Jacobian after some right ones.
    subroutine broken_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 1) fvec = residuals(4, m, x)
        if (iflag == 2) then
            fjac = jacobian(4, m, x)
            if (jacobians_before_nan == 0) fjac(2, 2) = ieee_value(1.0_wp, ieee_quiet_nan)
            jacobians_before_nan = jacobians_before_nan - 1
        end if
    end subroutine broken_jacobian

    !> x with a derivative of the wrong sign: every step leads uphill.
    subroutine reversed_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        if (iflag == 1) fvec = x(1)
        if (iflag == 2) fjac = -1.0_wp
    end subroutine reversed_jacobian

    !> Say what a fit of the nested problem gives when it is alone.
    subroutine start_nesting(outcome)
        type(fit_outcome), intent(in) :: outcome

        alone = outcome
        inner_fits = 0
        inner_fits_agreed = .true.
        depth = 0
    end subroutine start_nesting

    !> The nested problem; at the outer level every evaluation fits it anew by the same driver.
    recursive subroutine nested(m, n, x, fvec, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        integer, intent(inout) :: iflag

        real(wp) :: start(n)

        depth = depth + 1
        start = starting_point(nested_problem, n, 1.0_wp)
        if (depth == 1) call compare_with_alone(fit_by_differences(nested, m, start, fit_options()))
        depth = depth - 1
        fvec = residuals(nested_problem, m, x)
    end subroutine nested

    recursive subroutine nested_with_jacobian(m, n, x, fvec, fjac, ldfjac, iflag)
        integer, intent(in) :: m
        integer, intent(in) :: n
        integer, intent(in) :: ldfjac
        real(wp), intent(in) :: x(n)
        real(wp), intent(inout) :: fvec(m)
        real(wp), intent(inout) :: fjac(ldfjac, n)
        integer, intent(inout) :: iflag

        real(wp) :: start(n)

        depth = depth + 1
        start = starting_point(nested_problem, n, 1.0_wp)
        if (depth == 1) call compare_with_alone(fit_with_jacobian(nested_with_jacobian, m, start, fit_options()))
        depth = depth - 1
        if (iflag == 1) fvec = residuals(nested_problem, m, x)
        if (iflag == 2) fjac = jacobian(nested_problem, m, x)
    end subroutine nested_with_jacobian

    subroutine compare_with_alone(fit)
        type(fit_outcome), intent(in) :: fit

        inner_fits = inner_fits + 1
        inner_fits_agreed = inner_fits_agreed .and. all(fit%x == alone%x) .and. all(fit%fvec == alone%fvec) &
                            .and. fit%info == alone%info .and. fit%nfev == alone%nfev
    end subroutine compare_with_alone

end module awkward_models
