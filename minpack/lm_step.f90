! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> From a factored Jacobian to the next point to try, and from the residuals there to a judgement.
!>
!> Reference: J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, LNM 630 (1978);
!> J. J. Moré, B. S. Garbow, K. E. Hillstrom, ANL-80-74 (1980), LMDER and LMDIF.
!> Differs from MINPACK-1: bounds, see `active`; residuals that are not finite never count as convergence. Where no
!> bound is met, every number is MINPACK's.
module lm_step
    use kinds, only: wp, long, eps, &
        info_running, info_ftol, info_xtol, info_ftol_and_xtol, info_gtol, &
        info_maxfev, info_ftol_too_small, info_xtol_too_small, info_gtol_too_small, &
        info_trial_not_finite, info_jacobian_not_finite
    use norms, only: enorm, is_finite
    use lm_parameter, only: lmpar
    use active, only: is_held, find_held, meets_bounds, bounded_step, hesitate, count_hits
    use lm_state, only: lm_fit, lm_layout, stage_trial, is_fixed
    implicit none (type, external)
    private
    public :: begin_iteration, propose_step, judge_step

contains

    !> Start an outer iteration from a factored Jacobian: update the scaling, test the gradient, propose a step.
    pure subroutine begin_iteration(n, at, fit, ipvt, work, x)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(inout) :: x(n)             !! out: the point to try, unless that was the end

        integer :: j

        do j = n, 1, -1
            if (is_finite(work(at%acnorm + j - 1))) cycle
            fit%info = info_jacobian_not_finite
            fit%column = j
        end do
        if (fit%info /= info_running) return

        if (fit%iter == 1) then
            if (.not. fit%scaled) call set_scale(n, work(at%acnorm), work(at%diag))
            do j = 1, n     ! what has no part in the length of a step
                if (is_fixed(j, fit, at, work)) work(at%diag + j - 1) = 0.0_wp
            end do
            call bound_first_step(n, work(at%x), work(at%diag), work(at%wa1), fit)
        end if
        call project_residuals(n, work(at%r), work(at%qtf), ipvt, fit%fnorm, work(at%wa1))
        if (fit%bounded) call leave_out_held(n, work(at%x), work(at%lower), work(at%upper), work(at%wa1))
        fit%gnorm = largest_cosine(n, work(at%wa1), work(at%acnorm), ipvt)
        if (fit%gnorm <= fit%gtol) then
            fit%info = info_gtol
            return
        end if
        if (.not. fit%scaled) call raise_scale(n, work(at%acnorm), work(at%diag))
        call propose_step(n, at, fit, ipvt, work, x)
    end subroutine begin_iteration

    !> Compute the next step within the bound and ask for the residuals there.
    pure subroutine propose_step(n, at, fit, ipvt, work, x)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        type(lm_fit), intent(inout) :: fit
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        real(wp), intent(inout) :: x(n)             !! out: the point to try

        real(wp) :: par
        logical :: meets
        integer :: j

        par = fit%par
        meets = .false.
        if (fit%bounded) meets = meets_bounds(n, work(at%x), work(at%lower), work(at%upper))
        if (.not. meets) then
            call free_step(n, at, ipvt, work, fit)
            if (fit%bounded) meets = meets_bounds(n, work(at%trial), work(at%lower), work(at%upper))
        end if
        if (meets) then
            fit%par = par
            call step_in_box(n, at, work(at%x), work(at%lower), work(at%upper), work(at%r), work(at%qtf), ipvt, &
                             work(at%diag), work(at%hits), fit, work(at%step), work(at%trial), work(at%reached), &
                             work(at%wa1), work(at%free_rows), work(at%free_r), work(at%s))
        end if
        do j = 1, n
            x(j) = work(at%trial + j - 1)
            work(at%wa1 + j - 1) = work(at%diag + j - 1)*work(at%step + j - 1)
        end do
        fit%pnorm = enorm(n, work(at%wa1))
        if (fit%iter == 1 .and. .not. fit%truncated) fit%delta = min(fit%delta, fit%pnorm)
        fit%stage = stage_trial
    end subroutine propose_step

    !> The step where no bound is in the way.
    pure subroutine free_step(n, at, ipvt, work, fit)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        type(lm_fit), intent(inout) :: fit

        integer :: j

        call lmpar(n, work(at%r), ipvt, work(at%diag), work(at%qtf), fit%delta, fit%par, work(at%step), &
                   work(at%s), work(at%wa1), work(at%wa2), work(at%wa3))
        do j = 1, n
            work(at%step + j - 1) = -work(at%step + j - 1)
            work(at%trial + j - 1) = work(at%x + j - 1) + work(at%step + j - 1)
            if (fit%bounded) work(at%reached + j - 1) = 0.0_wp
        end do
        fit%truncated = .false.
        fit%hesitant = .false.
    end subroutine free_step

    !> The step with bounds: along those it meets, stopped short of what it meets for the first time.
    pure subroutine step_in_box(n, at, x, lower, upper, r, qtf, ipvt, diag, hits, fit, step, trial, reached, wa, &
                                free_rows, free_r, s)
        integer, intent(in) :: n
        type(lm_layout), intent(in) :: at
        real(wp), intent(in) :: x(n), lower(n), upper(n)
        real(wp), intent(in) :: r(n, n), qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: diag(n), hits(n)
        type(lm_fit), intent(inout) :: fit
        real(wp), intent(out) :: step(n), trial(n), reached(n), wa(n)
        real(wp), intent(out) :: free_rows(n*(n + 1)), free_r(n*n), s(n*(n + 1))

        real(wp) :: whole(n), there(n)
        logical :: held(n), met(n), hesitant

        call project_residuals(n, r, qtf, ipvt, fit%fnorm, wa)
        call find_held(n, x, lower, upper, wa, held)
        call bounded_step(n, x, lower, upper, held, r, qtf, ipvt, diag, fit%delta, fit%par, step, trial, met, &
                          free_rows, free_r, s)
        reached = merge(1.0_wp, 0.0_wp, met)
        fit%truncated = any(met)
        fit%hesitant = .false.
        if (.not. fit%truncated) return
        whole = step
        there = trial
        call hesitate(n, x, met, hits, step, trial, hesitant)
        if (hesitant) then
            ! Stopping some short of the path may lead up instead of down: then they go all the way.
            call apply_triangle(n, r, ipvt, step, wa)
            hesitant = sum(wa/fit%fnorm*(2.0_wp*(qtf/fit%fnorm) + wa/fit%fnorm)) < 0.0_wp
            if (.not. hesitant) then
                step = whole
                trial = there
            end if
        end if
        fit%hesitant = hesitant
    end subroutine step_in_box

    !> Compare the reduction a step brought with the one predicted; move the bound, the damping and x; test for an end.
    pure subroutine judge_step(n, trial_fnorm, at, ipvt, work, fit, accepted)
        integer, intent(in) :: n
        real(wp), intent(in) :: trial_fnorm         !! square root of the cost at the trial point
        type(lm_layout), intent(in) :: at
        integer, intent(in) :: ipvt(n)
        real(wp), intent(inout) :: work(*)
        type(lm_fit), intent(inout) :: fit
        logical, intent(out) :: accepted

        real(wp) :: actred, prered, dirder, ratio
        integer(long) :: j

        ! The comparison is false for NaN, which therefore counts as no reduction at all.
        actred = -1.0_wp
        if (0.1_wp*trial_fnorm < fit%fnorm) actred = 1.0_wp - (trial_fnorm/fit%fnorm)**2
        call apply_triangle(n, work(at%r), ipvt, work(at%step), work(at%wa1))
        call predict_reduction(n, work(at%wa1), work(at%qtf), fit, prered, dirder)
        ratio = 0.0_wp
        if (prered > 0.0_wp .or. (prered /= 0.0_wp .and. .not. fit%truncated)) ratio = actred/prered
        call move_bound(trial_fnorm, actred, dirder, ratio, fit)

        accepted = ratio >= 1.0e-4_wp
        if (accepted) then
            do j = 0, n - 1
                work(at%x + j) = work(at%trial + j)
                work(at%wa1 + j) = work(at%diag + j)*work(at%x + j)
            end do
            fit%xnorm = enorm(n, work(at%wa1))
            fit%fnorm = trial_fnorm
            fit%iter = fit%iter + 1
            if (fit%bounded) call count_hits(n, work(at%reached), work(at%hits))
        end if
        fit%info = exit_code(fit, actred, prered, ratio, is_finite(trial_fnorm))
    end subroutine judge_step

    !> Predict how much of the cost a step removes, and its slope along the step, both relative to the cost.
    pure subroutine predict_reduction(n, jstep, qtf, fit, prered, dirder)
        integer, intent(in) :: n
        real(wp), intent(in) :: jstep(n)            !! R Pᵀ step, as long as J step
        real(wp), intent(in) :: qtf(n)
        type(lm_fit), intent(in) :: fit
        real(wp), intent(out) :: prered, dirder

        real(wp) :: linear, damped

        if (fit%truncated) then
            prered = -sum(jstep/fit%fnorm*(2.0_wp*(qtf/fit%fnorm) + jstep/fit%fnorm))
            dirder = sum(jstep/fit%fnorm*(qtf/fit%fnorm))
            return
        end if
        ! The same in exact arithmetic, where the step minimises the damped quadratic.
        linear = enorm(n, jstep)/fit%fnorm
        damped = (sqrt(fit%par)*fit%pnorm)/fit%fnorm
        prered = linear**2 + damped**2/0.5_wp
        dirder = -(linear**2 + damped**2)
    end subroutine predict_reduction

    !> Move the step bound and the damping by how well the reduction was predicted.
    pure subroutine move_bound(trial_fnorm, actred, dirder, ratio, fit)
        real(wp), intent(in) :: trial_fnorm, actred, dirder, ratio
        type(lm_fit), intent(inout) :: fit

        real(wp) :: shrink

        if (ratio <= 0.25_wp) then
            shrink = 0.5_wp
            if (actred < 0.0_wp) shrink = 0.5_wp*dirder/(dirder + 0.5_wp*actred)
            if (0.1_wp*trial_fnorm >= fit%fnorm .or. shrink < 0.1_wp) shrink = 0.1_wp
            fit%delta = shrink*min(fit%delta, fit%pnorm/0.1_wp)
            fit%par = fit%par/shrink
        else if (fit%par == 0.0_wp .or. ratio >= 0.75_wp) then
            ! A good step that a bound cut short does not make the next one short.
            if (fit%truncated) then
                fit%delta = max(fit%delta, fit%pnorm/0.5_wp)
            else
                fit%delta = fit%pnorm/0.5_wp
            end if
            fit%par = 0.5_wp*fit%par
        end if
    end subroutine move_bound

    !> Decide whether a judged step ends the fit, and how.
    pure function exit_code(fit, actred, prered, ratio, trial_finite) result(info)
        type(lm_fit), intent(in) :: fit
        real(wp), intent(in) :: actred              !! relative reduction of the sum of squares
        real(wp), intent(in) :: prered              !! the reduction predicted
        real(wp), intent(in) :: ratio               !! of the two
        logical, intent(in) :: trial_finite         !! whether the step led to finite residuals
        integer :: info

        logical :: small_f, small_x

        small_f = abs(actred) <= fit%ftol .and. prered <= fit%ftol .and. 0.5_wp*ratio <= 1.0_wp
        small_x = fit%delta <= fit%xtol*fit%xnorm .and. is_finite(fit%xnorm)
        info = info_running
        ! A step that stopped short of a bound says nothing about how far there is to go.
        if (fit%hesitant) then
            if (fit%nfev >= fit%maxfev) info = info_maxfev
            return
        end if
        if (small_f) info = info_ftol
        if (small_x) info = info_xtol
        if (small_f .and. small_x) info = info_ftol_and_xtol
        if (info == info_running) then
            if (fit%nfev >= fit%maxfev) info = info_maxfev
            if (abs(actred) <= eps .and. prered <= eps .and. 0.5_wp*ratio <= 1.0_wp) info = info_ftol_too_small
            if (fit%delta <= eps*fit%xnorm .and. is_finite(fit%xnorm)) info = info_xtol_too_small
            if (fit%gnorm <= eps) info = info_gtol_too_small
        end if
        ! A bound that shrank away from residuals without a value shows where the model ends, not where the minimum is.
        if (.not. trial_finite .and. info /= info_running .and. info /= info_maxfev) info = info_trial_not_finite
    end function exit_code

    !> Set D at the first Jacobian.
    pure subroutine set_scale(n, acnorm, diag)
        integer, intent(in) :: n
        real(wp), intent(in) :: acnorm(n)
        real(wp), intent(out) :: diag(n)

        diag = merge(1.0_wp, acnorm, acnorm == 0.0_wp)
    end subroutine set_scale

    !> Set the first step bound.
    pure subroutine bound_first_step(n, x, diag, wa, fit)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n), diag(n)
        real(wp), intent(out) :: wa(n)
        type(lm_fit), intent(inout) :: fit

        wa = diag*x
        fit%xnorm = enorm(n, wa)
        fit%delta = fit%factor*fit%xnorm
        if (fit%delta == 0.0_wp) fit%delta = fit%factor
    end subroutine bound_first_step

    !> D never shrinks: this is what makes the method independent of the parameters' units.
    pure subroutine raise_scale(n, acnorm, diag)
        integer, intent(in) :: n
        real(wp), intent(in) :: acnorm(n)
        real(wp), intent(inout) :: diag(n)

        diag = max(diag, acnorm)
    end subroutine raise_scale

    !> Jᵀ f/‖f‖, from the triangle; zero where f is.
    pure subroutine project_residuals(n, r, qtf, ipvt, fnorm, gradient)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n)
        real(wp), intent(in) :: qtf(n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: fnorm
        real(wp), intent(out) :: gradient(n)

        real(wp) :: total
        integer :: i, j

        gradient = 0.0_wp
        if (fnorm == 0.0_wp) return
        do j = 1, n
            total = 0.0_wp
            do i = 1, j
                total = total + r(i, j)*(qtf(i)/fnorm)
            end do
            gradient(ipvt(j)) = total
        end do
    end subroutine project_residuals

    !> Clear the gradient by what is held.
    pure subroutine leave_out_held(n, x, lower, upper, gradient)
        integer, intent(in) :: n
        real(wp), intent(in) :: x(n), lower(n), upper(n)
        real(wp), intent(inout) :: gradient(n)

        integer :: j

        do j = 1, n
            if (is_held(x(j), lower(j), upper(j), gradient(j))) gradient(j) = 0.0_wp
        end do
    end subroutine leave_out_held

    !> Largest cosine, in absolute value, between the residual vector and a column of the Jacobian.
    pure function largest_cosine(n, gradient, acnorm, ipvt) result(gnorm)
        integer, intent(in) :: n
        real(wp), intent(in) :: gradient(n)         !! Jᵀ f/‖f‖
        real(wp), intent(in) :: acnorm(n)
        integer, intent(in) :: ipvt(n)
        real(wp) :: gnorm

        integer :: j

        gnorm = 0.0_wp
        do j = 1, n
            if (acnorm(ipvt(j)) == 0.0_wp) cycle
            gnorm = max(gnorm, abs(gradient(ipvt(j))/acnorm(ipvt(j))))
        end do
    end function largest_cosine

    !> R Pᵀ times a step.
    pure subroutine apply_triangle(n, r, ipvt, step, product)
        integer, intent(in) :: n
        real(wp), intent(in) :: r(n, n)
        integer, intent(in) :: ipvt(n)
        real(wp), intent(in) :: step(n)
        real(wp), intent(out) :: product(n)

        integer :: j

        product = 0.0_wp
        do j = 1, n
            product(1:j) = product(1:j) + r(1:j, j)*step(ipvt(j))
        end do
    end subroutine apply_triangle

end module lm_step
