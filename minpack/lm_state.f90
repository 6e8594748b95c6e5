! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What a fit under way remembers: scalars, and where each array begins in its work space.
module lm_state
    use, intrinsic :: iso_c_binding, only: c_bool, c_double, c_int
    use kinds, only: wp, long, row_block
    implicit none (type, external)
    private
    public :: layout, lay_out, is_fixed

    !> The scalars of a fit under way.
    type, public, bind(c) :: lm_fit
        integer(c_int) :: m                 !! residuals
        integer(c_int) :: n                 !! parameters
        integer(c_int) :: analytic          !! who makes Jacobians: one of the codes below
        integer(c_int) :: maxfev            !! bound on evaluations of the residuals
        integer(c_int) :: nfev              !! residual evaluations so far
        integer(c_int) :: njev              !! analytic Jacobian evaluations so far
        integer(c_int) :: iter              !! 1 + accepted steps
        integer(c_int) :: info              !! exit code, or info_running
        integer(c_int) :: stage             !! what the next residuals are for
        integer(c_int) :: column            !! the Jacobian column being differenced, or found not finite
        integer(c_int) :: loss              !! code of the loss
        logical(c_bool) :: scaled           !! whether the caller supplied diag, or column norms of the Jacobian are it
        logical(c_bool) :: bounded          !! whether there are bounds
        logical(c_bool) :: truncated        !! whether the step being tried meets a bound
        logical(c_bool) :: hesitant         !! whether it was stopped short of one
        real(c_double) :: ftol, xtol, gtol  !! tolerances: sum of squares, iterates, gradient
        real(c_double) :: epsfcn            !! relative error of the residuals, for differences
        real(c_double) :: factor            !! initial step bound, in units of ‖D x‖
        real(c_double) :: h                 !! the difference step in use
        real(c_double) :: fnorm             !! square root of the cost at x, ‖f‖ without a loss
        real(c_double) :: gnorm             !! largest cosine between f and a free column of J
        real(c_double) :: xnorm             !! ‖D x‖
        real(c_double) :: pnorm             !! ‖D step‖
        real(c_double) :: delta             !! the step bound
        real(c_double) :: par               !! the damping parameter
        real(c_double) :: f_scale           !! scale of the loss
    end type lm_fit

    !> Where each array begins in `work`.
    type, public :: lm_layout
        integer(long) :: x                  !! best point so far (n)
        integer(long) :: trial              !! the point being tried (n)
        integer(long) :: diag               !! scaling D (n); 0 for fixed parameters
        integer(long) :: qtf                !! first n entries of Qᵀ f (n)
        integer(long) :: acnorm             !! column norms of J (n)
        integer(long) :: step               !! the step being tried (n)
        integer(long) :: wa1, wa2, wa3      !! scratch (n each)
        integer(long) :: r                  !! triangle of J P = Q R (n, n)
        integer(long) :: s                  !! scratch triangle and right-hand side (n, n + 1)
        integer(long) :: lower, upper       !! bounds (n each), where there are any
        integer(long) :: hits               !! steps in a row that led to a bound (n)
        integer(long) :: reached            !! 1 where the step being tried leads to a bound (n)
        integer(long) :: free_rows          !! free columns of R, right-hand side last (n, n + 1)
        integer(long) :: free_r             !! their triangle (n, n)
        integer(long) :: f                  !! residuals at x (m)
        integer(long) :: rows               !! rows being factored, right-hand side last (height, n + 1)
        integer(long) :: jacobian           !! differenced columns: J, in `rows`; of a tall J all but the last, after it
        integer(long) :: height             !! rows there is room for: of a tall J row_block, else max(m, n)
        integer(long) :: size               !! length of work
    end type lm_layout

    integer, parameter, public :: by_differences = 0    !! the machine, from residuals
    integer, parameter, public :: by_caller = 1         !! the caller
    integer, parameter, public :: folded_by_caller = 2  !! the caller, who keeps all residuals, too

    integer, parameter, public :: stage_start = 0, stage_difference = 1, stage_trial = 2

contains

    !> Say where each array begins in `work`.
    pure function layout(m, n, analytic, bounded) result(at)
        integer, intent(in) :: m                    !! residuals
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: analytic             !! who makes Jacobians
        logical, intent(in), optional :: bounded    !! whether there are bounds
        type(lm_layout) :: at

        if (present(bounded)) then
            call lay_out(m, n, analytic, bounded, at)
        else
            call lay_out(m, n, analytic, .false., at)
        end if
    end function layout

    !> The same in place: to copy what has just been written takes longer than to write it.
    pure subroutine lay_out(m, n, analytic, bounded, at)
        integer, intent(in) :: m, n, analytic
        logical, intent(in) :: bounded
        type(lm_layout), intent(out) :: at

        integer(long) :: rows, columns, bounds

        rows = m
        if (analytic == folded_by_caller) rows = 0
        columns = n
        bounds = merge(columns, 0_long, bounded)
        at%x = 1
        at%trial = at%x + columns
        at%diag = at%trial + columns
        at%qtf = at%diag + columns
        at%acnorm = at%qtf + columns
        at%step = at%acnorm + columns
        at%wa1 = at%step + columns
        at%wa2 = at%wa1 + columns
        at%wa3 = at%wa2 + columns
        at%r = at%wa3 + columns
        at%s = at%r + columns**2
        at%lower = at%s + columns*(columns + 1)
        at%upper = at%lower + bounds
        at%hits = at%upper + bounds
        at%reached = at%hits + bounds
        at%free_rows = at%reached + bounds
        at%free_r = at%free_rows + bounds*(bounds + 1)
        at%f = at%free_r + bounds**2
        at%rows = at%f + rows
        at%jacobian = at%rows
        at%height = row_block
        if (m <= row_block) at%height = max(m, n)
        at%size = at%rows - 1
        if (analytic /= folded_by_caller) at%size = at%size + at%height*(columns + 1)
        if (m > row_block .and. analytic == by_differences) then
            at%jacobian = at%size + 1
            at%size = at%size + rows*(columns - 1)
        end if
    end subroutine lay_out

    !> Whether a parameter is fixed: its bounds are equal.
    pure function is_fixed(j, fit, at, work) result(fixed)
        integer, intent(in) :: j
        type(lm_fit), intent(in) :: fit
        type(lm_layout), intent(in) :: at
        real(wp), intent(in) :: work(*)
        logical :: fixed

        fixed = .false.
        if (fit%bounded) fixed = work(at%lower + j - 1) == work(at%upper + j - 1)
    end function is_fixed

end module lm_state
